import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { roleName, schemaLevels } from '../../../shared/postgres/names.ts';
import { databaseName, maxIdentifierBytes, schemaName } from '../../../shared/postgres/target.ts';
import { isolations, type TenantPlace } from '../../../shared/registry/tenants/model.ts';
import { tenantId } from '../../../shared/tenants/id.ts';
import { ownerMark, ownSchema, type PlaceRequest, placeOf } from '../../../shared/tenants/place.ts';

const instance = 'acme:europe-west1:main';
const settings = { DROVER_TENANTS_BUCKET: 'acme-tenants' };
const features = { analytics: true, storage: true, apiKey: true, opaqueNames: false };
const request: PlaceRequest = { tenant: 'acme', isolation: 'schema', instance, database: 'app', features };

/** Ids as people give them, and such as are made to meet: of underscores, and of what names are made of. */
const id = fc
  .oneof(
    fc.stringMatching(/^[a-z0-9_]{3,50}$/),
    fc.stringMatching(/^[ab_]{3,5}$/),
    fc
      .array(fc.constantFrom('a', 'b', '_', '__', 'tenant', 'app', 'owner', 'database', 'api', 'key', 't'), {
        minLength: 1,
        maxLength: 8,
      })
      .map((parts) => parts.join('_')),
  )
  .filter((text) => tenantId.safeParse(text).success);

/** The same letters and other underscores. */
const respelt = fc
  .tuple(fc.stringMatching(/^[a-z0-9]{3,10}$/), fc.array(fc.nat(2), { minLength: 22, maxLength: 22 }))
  .map(([letters, counts]) => {
    const spelt = (from: number) =>
      [...letters].map((sign, index) => sign + '_'.repeat(counts[from + index] ?? 0)).join('');
    return [spelt(0), `${'_'.repeat(counts[21] ?? 0)}${spelt(10)}`] as const;
  });
const twoIds = fc.oneof(fc.tuple(id, id), respelt).filter(([one, other]) => one !== other);
const isolation = fc.constantFrom(...isolations);

/** What a tenant has alone, by kind: names of one kind must differ. */
function namesOf({ tenant, isolation, database }: PlaceRequest, place: TenantPlace) {
  const own = isolation === 'database';
  const roles = schemaLevels.map((level) => roleName(place.database, place.schema, level));
  return {
    schema: own ? [] : [place.schema],
    database: own && database === undefined ? [place.database] : [],
    roles: [...place.logins, ...roles],
    secrets: [place.secret, place.apiKeySecret ?? ''],
    dataset: [place.dataset ?? ''],
    storage: [place.storage ?? ''],
    tenant: [tenant],
  };
}

type Names = ReturnType<typeof namesOf>;

function shared(one: Names, other: Names): string[] {
  const kinds = Object.keys(one) as (keyof Names)[];
  return kinds.flatMap((kind) => one[kind].filter((name) => other[kind].includes(name)));
}

const requestOf = (tenant: string, isolated: PlaceRequest['isolation']): PlaceRequest => ({
  ...request,
  tenant,
  isolation: isolated,
  database: isolated === 'schema' ? 'app' : undefined,
});

describe('the names of two tenants', () => {
  it('never meet, in whatever their ids differ', () => {
    fc.assert(
      fc.property(twoIds, isolation, isolation, (ids, ...isolated) => {
        const [one, other] = ([0, 1] as const).map((n) => {
          const asked = requestOf(ids[n], isolated[n]);
          return namesOf(asked, placeOf(asked, settings));
        });
        if (one === undefined || other === undefined) throw new Error('there are two');
        expect(shared(one, other)).toEqual([]);
      }),
      { numRuns: 1000 },
    );
  });

  it('differ where their ids do only in underscores', () => {
    const ids = ['acme', 'ac_me', 'acme_', '_acme', 'a_c_m_e', 'acme__', '__acme', 'ac__me'];
    for (const isolated of isolations) {
      const all = ids
        .map((tenant) => requestOf(tenant, isolated))
        .map((one) => namesOf(one, placeOf(one, settings)));
      for (const kind of ['schema', 'database', 'roles', 'secrets', 'dataset', 'storage'] as const) {
        const names = all.flatMap((one) => one[kind]);
        expect(new Set(names).size).toBe(names.length);
      }
    }
  });

  it('are not each other’s where one id begins with the other: no prefix in storage covers two', () => {
    const longer = fc.tuple(fc.stringMatching(/^[a-z0-9_]{3,47}$/), fc.stringMatching(/^[a-z0-9_]{1,3}$/));
    fc.assert(
      fc.property(longer, ([id, rest]) => {
        const [short, long] = [id, id + rest].map(
          (tenant) => placeOf({ ...request, tenant }, settings).storage,
        );
        expect(long?.startsWith(short ?? '')).toBe(false);
      }),
    );
  });
});

describe('the names of a tenant', () => {
  it('fit wherever they are used', () => {
    fc.assert(
      fc.property(id, isolation, fc.boolean(), (tenant, isolated, opaqueNames) => {
        const asked = { ...requestOf(tenant, isolated), features: { ...features, opaqueNames } };
        const place = placeOf(asked, settings);
        expect(databaseName.safeParse(place.database).success).toBe(true);
        expect(schemaName.safeParse(place.schema).success).toBe(true);
        const { roles, secrets } = namesOf(asked, place);
        for (const role of roles) expect(Buffer.byteLength(role)).toBeLessThanOrEqual(maxIdentifierBytes);
        expect(new Set(roles).size).toBe(roles.length);
        for (const secret of secrets) expect(secret).toMatch(/^[A-Za-z0-9_-]{1,255}$/);
        expect(place.dataset).toMatch(/^[A-Za-z0-9_]{1,1024}$/);
        expect(Buffer.byteLength(place.storage ?? '')).toBeLessThanOrEqual(1024);
      }),
    );
  });

  it('are told from one place', () => {
    expect(placeOf(request, settings)).toEqual({
      instance,
      database: 'app',
      schema: 'tenant_acme',
      logins: ['tenant_acme_a', 'tenant_acme_b'],
      secret: 'tenant-acme-database',
      apiKeySecret: 'tenant-acme-api-key',
      dataset: 'tenant_acme',
      storage: 'gs://acme-tenants/tenants/acme/',
    });
  });

  it('are those of a database of its own, which may be called otherwise', () => {
    const own = { ...request, isolation: 'database', database: undefined } as const;
    expect(placeOf(own, settings)).toMatchObject({ database: 'tenant_acme', schema: ownSchema });
    expect(placeOf({ ...own, database: 'acme' }, settings)).toMatchObject({
      database: 'acme',
      schema: ownSchema,
      logins: ['tenant_acme_a', 'tenant_acme_b'],
    });
  });

  it('are only those of what it has', () => {
    const less = { ...features, analytics: false, storage: false, apiKey: false };
    expect(placeOf({ ...request, features: less }, settings)).toMatchObject({
      dataset: null,
      storage: null,
      apiKeySecret: null,
    });
    expect(placeOf(request, { DROVER_TENANTS_BUCKET: '' }).storage).toBeNull();
  });
});

describe('opaque names', () => {
  const opaque = (tenant: string, isolated: PlaceRequest['isolation']) =>
    placeOf({ ...requestOf(tenant, isolated), features: { ...features, opaqueNames: true } }, settings);

  it('say nothing of the id to those who can read the catalog', () => {
    fc.assert(
      fc.property(id, isolation, (tenant, isolated) => {
        const place = opaque(tenant, isolated);
        const { schema, database, logins, secret } = place;
        expect(isolated === 'schema' ? schema : database).toMatch(/^t_[0-9a-f]{20}$/);
        const roles = schemaLevels.map((level) => roleName(database, schema, level));
        // A login's comment names its secret, a database's its owner, a role's both names.
        const visible = [schema, database, ...logins, secret, ownerMark(place), ...roles];
        // What is random or said for all may be anything, a short id too.
        const told = visible.map((name) => name.replace(/[0-9a-f]{20,}/, '#'));
        const said =
          /^(?:t_#(?:_[ab])?|t-#-database|app|(?:app__)?t_#__(?:app__)?(?:owner|writer|reader|analyst))$/;
        for (const name of told) expect(name).toMatch(said);
      }),
    );
  });

  it('are others each time, and those that are given', () => {
    const names = Array.from({ length: 100 }, () => opaque('acme', 'schema').schema);
    expect(new Set(names).size).toBe(100);
    const asked = { ...request, features: { ...features, opaqueNames: true } };
    expect(placeOf(asked, settings, () => '0123')).toMatchObject({
      schema: 't_0123',
      logins: ['t_0123_a', 't_0123_b'],
      secret: 't-0123-database',
    });
  });
});
