import type { Saga, Step } from '../../../functions/bootstrap-tenant/saga/step.ts';
import { hash } from '../../../shared/operation/canonical.ts';
import type { OperationContext } from '../../../shared/operation/definition.ts';
import { OperationError } from '../../../shared/operation/errors.ts';
import { type Claim, transactAsHolder } from '../../../shared/registry/claims.ts';
import type { StepRecord, TenantRecord } from '../../../shared/registry/tenants/model.ts';
import { readSteps } from '../../../shared/registry/tenants/store.ts';
import { publishTime, type Registry, useRegistry } from '../../shared/registry/fixture.ts';

export const instance = 'acme:europe-west1:main';

export const transient = new OperationError('UNAVAILABLE', 'for now', { retryable: true });
export const permanent = new OperationError('IMPOSSIBLE', 'it never will be');

/** Thrown by all that a process does once it was killed. */
export class Killed extends Error {
  override readonly name = 'Killed';
}

/** A process that works on an operation, and may be killed before or after whatever it does next. */
export interface Process {
  readonly operation: OperationContext;
  /** An effect of a step, which is there or not where the process is killed at it. */
  effect<T>(happen: () => T): Promise<T>;
  isKilled(): boolean;
  abort(reason: unknown): void;
}

export interface ProcessOptions {
  readonly dryRun?: boolean;
  /** Of its own effects and writes it gets so far. */
  readonly lives?: number;
}

/** An operation's context on the registry of the tests, without databases. */
export function startProcess(
  registry: Registry,
  claim: Claim,
  { dryRun = false, lives = Number.POSITIVE_INFINITY }: ProcessOptions = {},
): Process {
  const controller = new AbortController();
  let left = lives;
  const step = () => {
    left -= 1;
    if (left < 0) throw new Killed('killed');
  };
  const effect = async <T>(happen: () => T): Promise<T> => {
    step();
    const made = happen();
    step();
    return made;
  };
  const unused = () => {
    throw new Error('no test needs this');
  };
  const operation: OperationContext = {
    id: claim.id,
    operationId: claim.id,
    dryRun,
    signal: controller.signal,
    remainingMs: () => 60_000,
    assertHeld: () => undefined,
    log: { log: () => undefined, with: unused, format: unused },
    pools: { withConnection: unused, close: unused } as unknown as OperationContext['pools'],
    asked: { ...claim.order, claimedActor: 'ann@acme.example' },
    registry: async (collection, ...key) => registry.db.collection(collection).doc(hash(...key).slice(0, 40)),
    async transact(refs, update) {
      step();
      const done = await transactAsHolder(registry.db, claim, refs, update);
      step();
      return done;
    },
    intend: unused,
    fulfil: unused,
  };
  return { operation, effect, isKilled: () => left < 0, abort: (reason) => controller.abort(reason) };
}

export interface SagaWorld {
  readonly registry: Registry;
  claim(id?: string, minute?: number): Promise<Claim>;
  /** A saga of the tenant `acme`, at which the operation is. */
  begin(claim: Claim, options?: ProcessOptions): Promise<Saga & { readonly process: Process }>;
  tenant(): Promise<TenantRecord | undefined>;
  steps(): Promise<Record<string, StepRecord>>;
}

export const ref = ({ registry }: Pick<SagaWorld, 'registry'>) =>
  registry.db.collection('tenants').doc(hash('acme').slice(0, 40));

export function useSaga(): SagaWorld {
  const registry = useRegistry();
  const world: SagaWorld = {
    registry,
    claim: (id = 'one', minute = 0) =>
      registry.claim({
        id,
        functionName: 'bootstrap-tenant',
        request: {
          operationId: id,
          dryRun: false,
          publishedAt: new Date(publishTime.getTime() + minute * 60_000),
        },
      }),
    async begin(claim, options) {
      const process = startProcess(registry, claim, options);
      const found = await ref(world).get();
      if (!found.exists) await ref(world).set({ tenant: 'acme', state: 'bootstrapping', failure: null });
      const record = (await ref(world).get()).data() as TenantRecord;
      return { operation: process.operation, ref: ref(world), record, process };
    },
    tenant: async () => (await ref(world).get()).data() as TenantRecord | undefined,
    async steps() {
      return Object.fromEntries((await readSteps(ref(world))).map((one) => [one.step, one]));
    },
  };
  return world;
}

let positions = 0;

/** A step that does nothing, but for what is given. */
export function fakeStep(name: string, given: Partial<Step> = {}): Step {
  positions += 1;
  return {
    name,
    position: positions,
    needs: [],
    applies: () => true,
    look: async () => 'absent',
    make: async () => ({ changes: [{ action: 'create', kind: 'thing', name }] }),
    plan: async () => ({ changes: [{ action: 'create', kind: 'thing', name }] }),
    undo: async () => [{ action: 'revoke', kind: 'thing', name }],
    ...given,
  };
}
