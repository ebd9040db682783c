import type { Logger } from '../telemetry/log.ts';
import type { OperationDefinition } from './definition.ts';
import type { Delivery } from './delivery.ts';
import type { OperationError } from './errors.ts';
import type { ParsedData, Request } from './request.ts';

/** A message after steps 1 to 3. */
export interface Received<M> {
  readonly definition: OperationDefinition<M>;
  readonly delivery: Delivery;
  readonly request: Request;
  readonly data: ParsedData<M>;
  /** Why it will not be run, whatever happens. */
  readonly refused: OperationError | undefined;
  /** Of the record. */
  readonly id: string;
  readonly log: Logger;
}
