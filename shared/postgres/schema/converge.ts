import { OperationError } from '../../operation/errors.ts';
import type { SchemaLevel } from '../names.ts';
import type { Pools } from '../pools.ts';
import { retryConcurrentChanges } from '../retry.ts';
import type { Target } from '../target.ts';
import { changeInTransaction } from '../transaction.ts';
import type { Plan } from './context.ts';
import { inspection, readInspection, schemaRoles } from './inspect.ts';
import type { DesiredSchema, SchemaRoles } from './model.ts';
import { foundEpoch, foundGrants, planSchema } from './plan.ts';

/** Thrown when the schema carries a newer epoch than the one it is to be changed under. Nothing was changed. */
export class Fenced extends OperationError {
  readonly epoch: number;

  constructor(epoch: number) {
    super('FENCED', `A newer attempt (epoch ${epoch}) has changed the schema already`, { retryable: true });
    this.epoch = epoch;
  }
}

export interface ConvergeOptions {
  readonly signal: AbortSignal;
  readonly remainingMs: () => number;
  /** Throws where the operation may be another worker's by now. Called under the lock, before anything is changed. */
  readonly assertHeld?: () => void;
  /** Under which to change it; a dry run has none, and changes nothing. */
  readonly fence:
    | {
        readonly epoch: number;
        readonly outstanding: boolean;
        /** Of the grants that define the custom roles, where they weren't read under the schema's lock. */
        readonly grants?: number;
      }
    | undefined;
}

export interface Converged extends Plan {
  readonly roles: SchemaRoles;
  readonly levels: readonly SchemaLevel[];
}

/**
 * Makes a schema what it should be: inspects it, plans and applies, in one transaction under the schema's lock.
 *
 * @returns the plan that was applied, or in a dry run would be
 * @throws Fenced
 * @throws OperationError with what must not or can't be done
 */
export async function convergeSchema(
  pools: Pools,
  target: Target,
  desired: DesiredSchema,
  { signal, remainingMs, assertHeld, fence }: ConvergeOptions,
): Promise<Converged> {
  const custom = desired.customRoles?.map(({ name }) => name);
  const roles = schemaRoles(desired.database, desired.schema, custom);
  const query = inspection(desired, roles);
  const { plan } = await retryConcurrentChanges(signal, () =>
    pools.withConnection(target, { signal }, (client) =>
      changeInTransaction(
        client,
        { acting: roles.acting, lock: desired.schema, timeoutMs: remainingMs(), inspection: query },
        (inspected) => {
          const found = readInspection(inspected);
          const epoch = foundEpoch(roles, found) ?? 0;
          if (fence && epoch > fence.epoch) throw new Fenced(epoch);
          const grants = foundGrants(roles, found) ?? 0;
          if (fence?.grants !== undefined && grants > fence.grants) throw new Fenced(grants);
          const plan = planSchema(desired, roles, found, {
            epoch: fence?.epoch ?? epoch,
            always: fence?.outstanding ?? false,
          });
          if (fence) assertHeld?.();
          return { plan, statements: fence ? plan.steps.map((step) => step.sql) : [] };
        },
      ),
    ),
  );
  return { ...plan, roles };
}
