import fc from 'fast-check';
import { expect } from 'vitest';
import type { ManifestProblem } from '../../../../functions/ingest-object/manifest/places.ts';
import { readManifest } from '../../../../functions/ingest-object/manifest/read.ts';
import { OperationError } from '../../../../shared/operation/errors.ts';

export const instance = 'acme:europe-west1:main';

/** What a manifest's text begins with. */
export const head = 'version: 1\ndatabase: { instance: "acme:europe-west1:main", database: app }\n';

/** The error of what has to be refused. */
export function refusal(read: () => unknown): OperationError {
  try {
    read();
  } catch (error) {
    if (error instanceof OperationError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

/** What is wrong with a text: `line:column path: message`. */
export function problems(text: string): string[] {
  const { code, retryable, details } = refusal(() => readManifest(text));
  expect({ code, retryable }).toEqual({ code: 'INVALID_MANIFEST', retryable: false });
  const list = details?.['problems'] as ManifestProblem[];
  return list.map(({ path: at, line, column, message }) => `${line}:${column} ${at}: ${message}`);
}

/** A manifest as it would be written. */
export type Written = Record<string, unknown>;

export const database = (more: Written = {}): Written => ({
  version: 1,
  database: { instance, database: 'app' },
  ...more,
});

export const read = (written: Written) => readManifest(JSON.stringify(written));

export const grant = (principal: string, level: string, more: Written = {}) => ({
  principal,
  kind: 'iam-user',
  level,
  ...more,
});

const names = ['core', 'billing', 'sales', 'hr', 'ops', 'web'] as const;
const people = ['ann@acme.com', 'bob@acme.com', 'cy@acme.com', 'DI@acme.com'] as const;

const customRoles = fc.uniqueArray(fc.constantFrom('helper', 'auditor'), { maxLength: 2 });

/** Lines of grants, no two of which give somebody the same. */
const grantsOf = (roles: readonly string[]) =>
  fc
    .uniqueArray(
      fc.tuple(
        fc.constantFrom(...people),
        fc.constantFrom('owner', 'writer', 'reader', 'analyst', ...roles.map((role) => `custom:${role}`)),
      ),
      { maxLength: 6, selector: (pair) => pair.join() },
    )
    .map((pairs) =>
      pairs.map(([principal, role]) => ({
        principal,
        kind: 'iam-user',
        ...(role.startsWith('custom:') ? { customRole: role.slice(7) } : { level: role }),
      })),
    );

const rolesOf = customRoles.chain((roles) =>
  fc.record(
    {
      customRoles: fc.constant(roles.map((name) => ({ name, version: 1 }))),
      grants: grantsOf(roles),
      exact: fc.boolean(),
    },
    { requiredKeys: ['customRoles', 'grants'] },
  ),
);

/** Those that come later in a random order may name those that come earlier. */
const schemas = fc
  .shuffledSubarray([...names])
  .chain((order) =>
    fc.tuple(
      ...order.map((name, index) =>
        fc
          .tuple(rolesOf, fc.subarray(order.slice(0, index)))
          .map(([roles, after]) => [name, { ...roles, after }] as const),
      ),
    ),
  )
  .map((entries) => Object.fromEntries(entries));

const secretsFor = (there: Record<string, { customRoles: { name: string }[] }>) =>
  fc.dictionary(
    fc.stringMatching(/^[a-z]{1,4}$/),
    fc.oneof(
      fc.constant({ kind: 'random', grace: '24h' }),
      fc.constantFrom(...Object.keys(there), 'elsewhere').chain((schema) => {
        const roles = there[schema]?.customRoles ?? [];
        return fc
          .constantFrom({ level: 'reader' }, ...roles.map(({ name }) => ({ customRole: name })))
          .map((role) => ({ kind: 'postgres', schema, ...role }));
      }),
    ),
    { maxKeys: 4 },
  );

const common = {
  onDelete: fc.constantFrom('keep', 'revoke'),
};

const ofDatabase = schemas.chain((there) =>
  fc.record({ ...common, secrets: secretsFor(there), monitor: fc.boolean() }).map(({ monitor, ...more }) => ({
    ...database({ schemas: there, ...more }),
    ...(monitor ? { grants: [grant('ann@acme.com', 'monitor')] } : {}),
  })),
);

const about = { id: 'acme', displayName: 'Acme', contact: 'it@acme.example', plan: 'STARTER' };

const ofTenant = fc
  .tuple(schemas, fc.option(rolesOf, { nil: undefined }), fc.boolean())
  .chain(([there, schema, shares]) => {
    const own = shares ? 'tenant_acme' : 'app';
    const roles = { [own]: { customRoles: schema?.customRoles ?? [] }, ...(shares ? {} : there) };
    return fc.record({ ...common, secrets: secretsFor(roles) }).map((more) => ({
      version: 1,
      ...more,
      // What is of another schema can't be a shared database's.
      secrets: Object.fromEntries(
        Object.entries(more.secrets).filter(
          ([, secret]) => !(shares && 'schema' in secret && secret.schema === 'elsewhere'),
        ),
      ),
      ...(shares ? {} : { schemas: there }),
      tenant: {
        ...about,
        isolation: shares ? 'schema' : 'database',
        target: { instance, ...(shares ? { database: 'shared' } : {}) },
        ...(schema ? { schema } : {}),
      },
    }));
  });

/** Manifests that can be used. */
export const anyManifest: fc.Arbitrary<Written> = fc.oneof(ofDatabase, ofTenant);
