import { defineOperation } from '../../shared/operation/define.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import type { Note, Outcome } from '../../shared/operation/outcome.ts';
import { type Converged, convergeSchema } from '../../shared/postgres/schema/converge.ts';
import { applySchema } from '../../shared/schemas/apply.ts';
import { access } from './access.ts';
import limits from './function.json' with { type: 'json' };
import { type CreateSchemaMessage, createSchemaMessage, desiredOf } from './message.ts';

export default defineOperation({
  name: 'create-schema',
  timeoutSeconds: limits.timeoutSeconds,
  message: createSchemaMessage,
  forTenants: true,
  access,
  run: async (asked, operation): Promise<Outcome> => {
    const { message, notes } = await withoutOldOwner(asked, operation);
    const converged = operation.dryRun ? await plan(message, operation) : await apply(message, operation);
    return {
      changes: converged.steps.flatMap(({ change }) => (change ? [change] : [])),
      notes: [...converged.notes, ...notes],
      ...(operation.dryRun ? { statements: converged.steps.map(({ sql }) => sql.text) } : {}),
    };
  },
});

/** The message without its owner, where something newer was decided about that. */
async function withoutOldOwner(
  message: CreateSchemaMessage,
  operation: OperationContext,
): Promise<{ readonly message: CreateSchemaMessage; readonly notes: readonly Note[] }> {
  const { owner, ...rest } = message;
  if (owner === undefined) return { message, notes: [] };
  // Most messages name none, and don't wait for this to be loaded.
  const { supersededOwner } = await import('./owner.ts');
  const superseded = await supersededOwner({ ...rest, owner }, operation);
  return superseded ? { message: rest, notes: [superseded] } : { message, notes: [] };
}

function plan(
  message: CreateSchemaMessage,
  { pools, signal, remainingMs }: OperationContext,
): Promise<Converged> {
  return convergeSchema(pools, message.target, desiredOf(message), { signal, remainingMs, fence: undefined });
}

async function apply(message: CreateSchemaMessage, operation: OperationContext): Promise<Converged> {
  const { converged } = await applySchema(message.target, desiredOf(message), operation);
  return converged;
}
