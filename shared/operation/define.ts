import type { OperationDefinition } from './definition.ts';
import { deliver } from './life.ts';

/**
 * Gives an operation the life of a message (docs/architecture.md): the result is what the Functions Framework calls
 * with each event. It resolves when the message is to be acknowledged and rejects when it has to come again.
 */
export function defineOperation<M>(definition: OperationDefinition<M>): (event: unknown) => Promise<void> {
  return (event) => deliver(definition, event);
}
