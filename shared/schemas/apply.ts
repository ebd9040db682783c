import type { OperationContext } from '../operation/definition.ts';
import { type Converged, convergeSchema, Fenced } from '../postgres/schema/converge.ts';
import type { DesiredSchema } from '../postgres/schema/model.ts';
import type { Target } from '../postgres/target.ts';
import { schemasCollection } from '../registry/databases.ts';
import type { Intent } from '../registry/intents.ts';

export interface AppliedSchema {
  readonly converged: Converged;
  readonly intent: Intent;
  /** For the registry. */
  readonly facts: Record<string, unknown>;
}

/**
 * Makes a schema what it should be: the intent first; then the schema, under the intent's epoch; what came of it is
 * recorded when the operation ends.
 *
 * @throws Superseded
 * @throws OperationError with what must not or can't be done
 */
export async function applySchema(
  target: Target,
  desired: DesiredSchema,
  operation: OperationContext,
): Promise<AppliedSchema> {
  const { schema } = desired;
  const ref = await operation.registry(schemasCollection, target.instance, target.database, schema);
  const wish = { ref, identity: { ...target, schema }, desired };
  for (let atLeast = 0; ; ) {
    const intent = await operation.intend({ ...wish, atLeast });
    try {
      const converged = await convergeSchema(operation.pools, target, desired, {
        ...operation,
        fence: intent,
      });
      // Custom roles are another message's: this one doesn't know which there are.
      const { custom: _, ...roles } = converged.roles;
      const facts = { levels: converged.levels, roles, notes: converged.notes.map(({ code }) => code) };
      operation.fulfil(facts);
      return { converged, intent, facts };
    } catch (error) {
      // Ours may still be the newest wish: the registry decides, and numbers it above what the schema carries.
      if (!(error instanceof Fenced) || error.epoch <= atLeast) throw error;
      atLeast = error.epoch;
    }
  }
}
