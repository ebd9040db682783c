import { parseMarker } from '../../shared/postgres/marker.ts';
import type { IntentDocument } from '../../shared/registry/intents.ts';
import { operationDocumentId } from '../../shared/registry/operations.ts';
import type { TestStack } from '../support/stack.ts';

/** What the three places say about a schema that an operation of the same name was to make. */
export async function stateOf(stack: TestStack, schema: string, operationId = schema) {
  const record = await stack.record('create-schema', operationId);
  const id = operationDocumentId('create-schema', { operationId, dryRun: false });
  return {
    record: record && { state: record.state, reported: record.reported, error: record.error },
    events: [...new Set(stack.results.get(id)?.map((event) => event.id))],
    registry: await registryOf(stack, schema),
    catalog: await catalogOf(stack, schema),
  };
}

export async function registryOf(stack: TestStack, schema: string) {
  const { docs } = await stack.db.collection('schemas').where('schema', '==', schema).get();
  const found = docs[0]?.data() as IntentDocument | undefined;
  return (
    found && {
      applied: found.appliedEpoch === found.epoch,
      comment: (found.applied?.desired as { comment?: string } | undefined)?.comment,
      undecided: found.intents.length,
    }
  );
}

export async function catalogOf(stack: TestStack, schema: string) {
  const [found] = await stack.query(
    'app',
    `SELECT obj_description(n.oid) AS comment, n.nspowner::regrole::text AS owner,
            shobj_description(n.nspowner, 'pg_authid') AS marker,
            (SELECT array_agg(rolname::text ORDER BY rolname) FROM pg_roles
              WHERE starts_with(rolname, 'app__${schema}__')) AS roles
       FROM pg_namespace n WHERE n.nspname = '${schema}'`,
  );
  if (found === undefined) return undefined;
  const { marker, ...rest } = found;
  return { ...rest, epoch: parseMarker(String(marker))?.epoch };
}
