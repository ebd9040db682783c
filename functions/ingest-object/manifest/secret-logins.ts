import type { OperationContext } from '../../../shared/operation/definition.ts';
import { secretsCollection } from '../../../shared/registry/secrets/model.ts';
import { readSecretRecord } from '../../../shared/registry/secrets/store.ts';
import { type Logins, secretsIn } from './logins.ts';
import type { Manifest } from './model.ts';
import { roleSetsOf } from './sets.ts';
import { readAll } from './state.ts';

/** What the logins are called that a manifest's `exact` grants leave theirs, as far as their secrets are there. */
export async function readLogins(
  manifest: Manifest,
  operation: Pick<OperationContext, 'registry'>,
): Promise<Logins> {
  const exact = roleSetsOf(manifest).filter((set) => set.exact);
  const ids = [...new Set(exact.flatMap((set) => secretsIn(manifest, set).map(([id]) => id)))];
  const found = await readAll(ids.map((id) => operation.registry(secretsCollection, id)));
  const records = found.flatMap((one) => readSecretRecord(one) ?? []);
  const named = records.filter(({ logins }) => logins.length > 0);
  return new Map(named.map(({ secret, logins }) => [secret, logins]));
}
