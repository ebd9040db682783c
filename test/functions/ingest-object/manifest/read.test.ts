import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { readManifest, readManifestBytes } from '../../../../functions/ingest-object/manifest/read.ts';
import { head, problems, refusal } from './manifests.ts';

const samples = path.resolve(import.meta.dirname, '../../../../samples/manifests');
const tenantHead = (more = '') =>
  `version: 1\ntenant: { id: acme, displayName: Acme, contact: it@acme.example, plan: STARTER, ${more} target: { instance: "acme:europe-west1:main", database: app } }\n`;

describe('a manifest', () => {
  it.each(['billing', 'tenant'])('of the samples can be used: %s', (name) => {
    expect(readManifestBytes(readFileSync(path.join(samples, `${name}.yaml`)))).toMatchObject({ version: 1 });
  });

  it('has defaults; its secrets and its tenant are as they were written', () => {
    expect(
      readManifest(`${head}schemas: { core: {} }\nsecrets: { a: { kind: random, grace: 24h } }`),
    ).toEqual({
      version: 1,
      database: { instance: 'acme:europe-west1:main', database: 'app' },
      onDelete: 'keep',
      lockDatabase: false,
      schemas: {
        core: {
          levels: ['writer', 'reader', 'analyst'],
          adopt: false,
          after: [],
          customRoles: [],
          exact: false,
          createMissing: false,
        },
      },
      grants: [],
      secrets: { a: { kind: 'random', grace: '24h' } },
    });
    const { tenant } = readManifest(tenantHead());
    expect(tenant).toEqual({
      ...{ id: 'acme', displayName: 'Acme', contact: 'it@acme.example', plan: 'STARTER' },
      target: { instance: 'acme:europe-west1:main', database: 'app' },
    });
  });

  it('may be JSON, may have a BOM, anchors, and names of what every object has', () => {
    const json = {
      $schema: 'https://example.com/manifest.json',
      version: 1,
      database: { instance: 'acme:europe-west1:main', database: 'app' },
      schemas: { constructor: { after: ['toString'] }, toString: {} },
    };
    expect(readManifest(`\ufeff${JSON.stringify(json)}`).schemas).toHaveProperty('constructor');
    const { schemas } = readManifest(
      `${head}schemas:\n  a: &x { comment: both }\n  b: *x\n  null: {}\n  on: {}\n`,
    );
    expect(Object.keys(schemas)).toEqual(['a', 'b', 'null', 'on']);
    expect(schemas['b']?.comment).toBe('both');
  });

  it.each([
    ['', '1:1 manifest: is empty'],
    ['# nothing\n', '1:1 manifest: is empty'],
    ['~', '1:1 manifest: is empty: write {} where there is nothing to say'],
    ['[]', '1:1 manifest: Invalid input: expected object, received array'],
    ['a: 1\n---\nb: 2', '2:1 manifest: a second document begins here: a manifest is one'],
    ['a:\n\tb: 1', '2:1 manifest: Tabs are not allowed as indentation'],
    ['a: 1\nb: 2\na: 3', '3:1 manifest: "a" is there twice'],
    ['{"a": 1, "a": 2}', '1:10 manifest: "a" is there twice'],
    ['a: !!set { x }', '1:4 manifest: Unresolved tag: tag:yaml.org,2002:set'],
    ['a: !Ref x', '1:4 manifest: Unresolved tag: !Ref'],
    ['%YAML 1.1\n---\na: yes', '1:1 manifest: says that it is YAML 1.1: a manifest is YAML 1.2'],
    ['a: &x [*x]', '1:8 manifest: *x stands within its own anchor, and would never end'],
    ['a: *x', '1:4 manifest: *x has no anchor before it'],
    [
      'a: [b',
      '1:6 manifest: Flow sequence in block collection must be sufficiently indented and end with a ]',
    ],
    ['? [a]\n: b', '1:3 manifest: a name has to be text'],
    ['__proto__: {}', '1:1 manifest: __proto__ can’t be a name here'],
    [
      'a: "\\ud800"',
      '1:4 manifest: has half of a surrogate pair (\\ud800 to \\udfff alone), which is no text',
    ],
  ])('that is no YAML 1.2 document of JSON’s values: %j', (text, problem) => {
    expect(problems(text)).toEqual([problem]);
  });

  it('has no merge keys', () => {
    expect(problems(`${head}schemas:\n  a: &a {}\n  b: { <<: *a }`)).toEqual([
      '5:8 schemas.b["<<"]: is not a field of a manifest',
    ]);
  });

  const grant = (more: string) => `${head}schemas:\n  billing:\n    grants:\n      - ${more}\n`;
  it.each([
    // What each field is by itself.
    [`${head}schema: {}`, '3:1 schema: is not a field of a manifest'],
    [head.replace('1', '2'), '1:10 version: Invalid input: expected 1'],
    ['database: { instance: "a:b-c1:d", database: app }', '1:1 version: is missing'],
    [
      `${head}schemas:\n  billing:\n`,
      '4:3 schemas.billing: is empty: write {} where there is nothing to say',
    ],
    [`${head}schemas:\n  pg_x: {}\n`, '4:3 schemas.pg_x: is reserved for the system'],
    [
      `${head}schemas:\n  a b: {}\n`,
      '4:3 schemas["a b"]: must be letters, digits and underscores (ASCII), and not begin with a digit',
    ],
    [
      grant('{ principal: a@b.com, kind: iam-user, level: raeder }'),
      '6:54 schemas.billing.grants[0].level: Invalid option: expected one of "owner"|"writer"|"reader"|"analyst"|"monitor"',
    ],
    [
      grant('{ principal: a@b.com, kind: iam-user, level: reader, expiresAt: tomorrow }'),
      '6:73 schemas.billing.grants[0].expiresAt: Invalid ISO datetime',
    ],
    [
      grant('{ principal: "a\\0b", kind: login, level: reader }'),
      '6:22 schemas.billing.grants[0].principal: must not contain NUL',
    ],
    [grant('{ principal: a@b.com, level: reader }'), '6:9 schemas.billing.grants[0].kind: is missing'],
    // What the messages would be refused for.
    [
      grant('{ principal: a@b.com, kind: iam-user, level: monitor }'),
      '6:54 schemas.billing.grants[0].level: is the database’s: leave the schema out',
    ],
    [
      grant('{ principal: a@b.com, kind: iam-user }'),
      '6:9 schemas.billing.grants[0]: must have either a level or a customRole',
    ],
    [
      grant('{ principals: [a@b.com, bob], kind: iam-user, level: reader }'),
      '6:33 schemas.billing.grants[0].principals[1]: must be an e-mail address',
    ],
    [
      grant(
        '{ principal: x@p.iam.gserviceaccount.com.gserviceaccount.com, kind: iam-service-account, level: reader }',
      ),
      '6:22 schemas.billing.grants[0].principal: must be a service account’s e-mail address: name@project.iam, with or without .gserviceaccount.com',
    ],
    [
      `${head}grants: [{ principal: a@b.com, kind: iam-user, level: reader }]`,
      '3:55 grants[0].level: is a schema’s: say which schema',
    ],
    [
      `${head}secrets:\n  s:\n    kind: postgres\n    schema: billing\n`,
      '4:3 secrets.s.level: is needed: what the logins may do',
    ],
    [`${head}secrets:\n  s: { kind: random, prefix: x }\n`, '4:30 secrets.s.prefix: is for API keys'],
    [
      `${head}secrets:\n  s: { kind: random, policy: { everyDays: 2, jitterDays: 2 } }\n`,
      '4:58 secrets.s.policy.jitterDays: must be at most half of everyDays',
    ],
    [
      `${head}schemas:\n  a:\n    customRoles:\n      - { name: r, version: 1 }\n      - { name: r, version: 2 }\n`,
      '7:17 schemas.a.customRoles[1].name: is defined twice',
    ],
    // How things fit together.
    ['version: 1', '1:1 manifest: says neither which database nor which tenant it is about'],
    [
      `${tenantHead()}database: { instance: "a:b-c1:d", database: app }`,
      '2:1 tenant: has no place in the manifest of a database',
    ],
    [grant('{ kind: iam-user, level: reader }'), '6:9 schemas.billing.grants[0]: names no principal'],
    [
      grant('{ principal: a@b.com, principals: [c@d.com], kind: iam-user, level: reader }'),
      '6:31 schemas.billing.grants[0].principals: is one too many: there is a principal',
    ],
    [
      grant('{ principal: a@b.com, kind: iam-user, customRole: helper }'),
      '6:59 schemas.billing.grants[0].customRole: helper is none of the schema’s customRoles',
    ],
    [
      grant('{ principals: [a@b.com, A@B.com], kind: iam-user, level: reader }'),
      '6:33 schemas.billing.grants[0].principals[1]: is given reader twice: by schemas.billing.grants[0], too',
    ],
    [
      `${head}schemas:\n  a:\n    levels: [reader]\n    grants: [{ principal: x@y.com, kind: iam-user, level: writer }]`,
      '6:59 schemas.a.grants[0].level: writer is none of the schema’s levels',
    ],
    [`${head}schemas:\n  a: { after: [b] }`, '4:16 schemas.a.after[0]: b is no schema of this manifest'],
    [`${head}schemas:\n  a: { after: [b, b] }\n  b: {}`, '4:19 schemas.a.after[1]: is there twice'],
    [`${head}schemas:\n  a: { after: [a] }`, '4:16 schemas.a.after[0]: is a cycle: a → a'],
    [
      `${head}schemas:\n  app: { after: [billing] }\n  billing:\n    after:\n      - app2\n      - core\n  app2: {}\n  core: { after: [billing] }`,
      '8:9 schemas.billing.after[1]: is a cycle: billing → core → billing',
    ],
    [
      `${head}schemas:\n  a:\n    exact: true\n`,
      '5:12 schemas.a.exact: takes every grant away where there are none: if that is meant, say "grants: []"',
    ],
    [
      `${head}schemas:\n  a: { owner: app, exact: true, grants: [] }`,
      '4:15 schemas.a.owner: is not among the grants, which are exact: add it with the level owner',
    ],
    [
      `${head}schemas: { a: {} }\nsecrets:\n  s: { kind: postgres, schema: a, customRole: r }`,
      '5:47 secrets.s.customRole: r is none of the schema’s customRoles',
    ],
    [
      `${head}schemas: { a: { levels: [] } }\nsecrets:\n  s: { kind: postgres, schema: a, level: reader }`,
      '5:42 secrets.s.level: reader is none of the schema’s levels',
    ],
    [`${head}lockDatabase: true`, '3:15 lockDatabase: is done with a schema, and there is none'],
    // Tenants.
    [
      `${tenantHead()}schemas:\n  a: {}`,
      '3:1 schemas: has no place here: the tenant shares its database with others',
    ],
    [
      `${tenantHead()}grants:\n  - { principal: a@b.com, kind: iam-user, level: monitor }`,
      '3:1 grants: has no place here: the tenant shares its database with others',
    ],
    [
      `${tenantHead()}secrets:\n  s: { kind: postgres, schema: tenant_other, level: reader }`,
      '4:32 secrets.s.schema: has to be tenant_acme, the tenant’s',
    ],
    [
      `${tenantHead()}secrets:\n  s: { kind: postgres, level: monitor }`,
      '4:3 secrets.s.schema: has to be tenant_acme, the tenant’s',
    ],
    [
      `${tenantHead('isolation: database,')}schemas:\n  app: {}`,
      '4:3 schemas.app: is the tenant’s own schema: what is to be said of it is in tenant.schema',
    ],
    [
      `${tenantHead()}secrets: { tenant-acme-api-key: { kind: random } }`,
      '3:12 secrets.tenant-acme-api-key: is a secret that every tenant has',
    ],
    [
      tenantHead('features: { opaqueNames: true }, schema: { exact: true, grants: [] },'),
      '2:131 tenant.schema.exact: is not possible with opaque names: its logins would lose their role, and have no known names',
    ],
    [
      tenantHead().replace(', database: app', ''),
      '2:82 tenant.target.database: is needed: the database that the tenant shares with others',
    ],
    [tenantHead().replace('acme,', 'Acme!,'), '2:15 tenant.id: must be 3 to 50 of a-z, 0-9 and _'],
  ])('is refused with the place of what is wrong: %j', (text, problem) => {
    expect(problems(text)).toEqual([problem]);
  });

  it('that is wrong in many places tells all of them, in the file’s order, and lists the first', () => {
    const lines = Array.from({ length: 30 }, (_, index) => `  s${index}: { kind: nothing }`);
    const text = `${head}secrets:\n${lines.join('\n')}`;
    expect(problems(text)).toHaveLength(30);
    const { message } = refusal(() => readManifest(text));
    expect(message).toMatch(/^The manifest can't be used: 4:15 secrets\.s0\.kind: .*; 5:15 .*; and 25 more$/);
  });

  it('may leave to others what it doesn’t make itself', () => {
    const text = `${head}secrets: { s: { kind: postgres, schema: elsewhere, customRole: theirs } }`;
    expect(readManifest(text).secrets).toHaveProperty('s');
    const own = `${tenantHead()}secrets: { s: { kind: postgres, schema: tenant_acme, level: reader } }`;
    expect(readManifest(own).secrets).toHaveProperty('s');
  });

  it('can have as many grants as there may be, and no more', () => {
    const grants = (count: number) =>
      Array.from(
        { length: count / 50 },
        (_, line) =>
          `      - { kind: login, level: reader, principals: [${Array.from({ length: 50 }, (__, one) => `u${line}_${one}`).join(', ')}] }`,
      ).join('\n');
    const text = (count: number, more = '') =>
      `${head}schemas:\n  a:\n${more}    grants:\n${grants(count)}\n`;
    expect(readManifest(text(5000)).schemas['a']?.grants).toHaveLength(100);
    expect(problems(text(5050))).toEqual(['1:1 manifest: has 5050 grants: at most 5000 are possible']);
    const exact = '    exact: true\n';
    expect(readManifest(text(100, exact)).schemas['a']?.exact).toBe(true);
    expect(problems(text(150, exact))).toEqual([
      '6:5 schemas.a.grants: are 150: with exact at most 100 are possible',
    ]);
    const secret = 'secrets: { s: { kind: postgres, schema: a, level: reader } }';
    expect(problems(text(100, exact) + secret)).toEqual([
      '6:5 schemas.a.grants: are 100: with exact at most 98 are possible',
    ]);
  });
});
