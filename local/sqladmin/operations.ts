import { randomUUID } from 'node:crypto';
import { ApiError } from '../http/api-error.ts';
import type { Interceptor } from '../http/interceptor.ts';
import { type Call, invalid } from './call.ts';
import { partsOf, type SqlInstance } from './instances.ts';

/** https://cloud.google.com/sql/docs/postgres/admin-api/rest/v1beta4/operations#Operation */
export interface Operation {
  readonly kind: 'sql#operation';
  readonly name: string;
  readonly operationType: OperationType;
  readonly status: 'PENDING' | 'RUNNING' | 'DONE';
  /** The instance's name, whatever the operation is about: a user's name is nowhere in an operation. */
  readonly targetId: string;
  readonly targetProject: string;
  readonly targetLink: string;
  readonly selfLink: string;
  readonly user: string;
  readonly insertTime: string;
  readonly startTime?: string;
  readonly endTime?: string;
  readonly error?: {
    readonly kind: 'sql#operationErrors';
    readonly errors: readonly { readonly kind: 'sql#operationError'; code: string; message: string }[];
  };
}

export type OperationType = 'CREATE_USER' | 'DELETE_USER' | 'CREATE_DATABASE' | 'DELETE_DATABASE';

export interface Operations {
  /**
   * Begins an operation.
   *
   * @param effect what it does; what this throws is the operation's error
   * @throws ApiError 409 while another one is under way in the instance
   */
  begin(
    call: Call,
    instance: SqlInstance,
    type: OperationType,
    effect: () => Promise<void>,
  ): Promise<Operation>;
  get(call: Call): Operation;
  list(call: Call): { kind: 'sql#operationsList'; items?: Operation[]; nextPageToken?: string };
}

export interface OperationsOptions {
  readonly url: () => string;
  readonly intercept: () => Interceptor | undefined;
  /** Has a call that changes something answer when that is done; else it answers before. */
  readonly answersWhenDone: boolean;
}

export function createOperations({ url, intercept, answersWhenDone }: OperationsOptions): Operations {
  /** In the order in which they began. */
  const known = new Map<string, Operation>();
  const busy = new Set<SqlInstance>();

  const update = (name: string, change: Partial<Operation>): Operation => {
    const updated = { ...known.get(name), ...change } as Operation;
    known.set(name, updated);
    return updated;
  };
  const run = async (
    operation: Operation,
    instance: SqlInstance,
    effect: () => Promise<void>,
  ): Promise<Operation> => {
    const { name } = operation;
    const request = { ...operation };
    try {
      await intercept()?.({ method: 'Operation', phase: 'before', request });
      update(name, { status: 'RUNNING', startTime: now() });
      await effect();
      await intercept()?.({ method: 'Operation', phase: 'after', request });
      return update(name, { status: 'DONE', endTime: now() });
    } catch (error) {
      return update(name, { status: 'DONE', endTime: now(), error: errorsOf(error) });
    } finally {
      busy.delete(instance);
    }
  };

  return {
    async begin(call, instance, operationType, effect) {
      if (busy.has(instance)) throw inProgress();
      busy.add(instance);
      const { project, id } = partsOf(instance.name);
      const projectLink = `${url()}/sql/v1beta4/projects/${project}`;
      const name = randomUUID();
      const operation: Operation = {
        kind: 'sql#operation',
        targetLink: `${projectLink}/instances/${id}`,
        status: 'PENDING',
        user: call.principal,
        insertTime: now(),
        operationType,
        name,
        targetId: id,
        selfLink: `${projectLink}/operations/${name}`,
        targetProject: project,
      };
      known.set(name, operation);
      const running = run(operation, instance, effect);
      if (!answersWhenDone) return operation;
      const done = await running;
      const failure = done.error?.errors[0]?.message;
      if (failure !== undefined) throw invalid(failure);
      return done;
    },
    get({ path }) {
      const found = known.get(path['operation'] ?? '');
      if (found && found.targetProject === path['project']) return found;
      throw new ApiError(404, 'operationDoesNotExist', 'The Cloud SQL instance operation does not exist.');
    },
    list({ path, query }) {
      const all = [...known.values()].reverse().filter(({ targetProject, targetId }) => {
        const { instance = targetId } = query;
        return targetProject === path['project'] && targetId === instance;
      });
      const from = Number(query['pageToken'] ?? 0);
      const to = from + Number(query['maxResults'] ?? 100);
      const items = all.slice(from, to);
      return {
        kind: 'sql#operationsList',
        ...(items.length > 0 && { items }),
        ...(to < all.length && { nextPageToken: String(to) }),
      };
    },
  };
}

function inProgress(): ApiError {
  return new ApiError(
    409,
    'operationInProgress',
    'Operation failed because another operation was already in progress. Try your request after the current operation is complete.',
  );
}

function errorsOf(error: unknown): NonNullable<Operation['error']> {
  const message = error instanceof Error ? error.message : String(error);
  return {
    kind: 'sql#operationErrors',
    errors: [{ kind: 'sql#operationError', code: 'INTERNAL_ERROR', message }],
  };
}

function now(): string {
  return new Date().toISOString();
}
