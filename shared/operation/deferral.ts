import { OperationError } from './errors.ts';

/** However long a service says that it wants to be left alone: it may change its mind, or have meant something else. */
const longestWaitMs = 24 * 3_600_000;

/**
 * Thrown by a handler that can't go on before some time, through nobody's fault: a service's rate limit has to reset. The
 * operation waits as a tenant's does that is over its limits: its message is acknowledged and kept, which burns no delivery
 * attempts, and `reconcile` publishes it again when the time has come. The handler is then called anew.
 *
 * Whoever takes it for an error like others, for it is caught on its way, sees one that passes.
 */
export class Deferred extends OperationError {
  readonly notBefore: Date;

  /** @param why what is waited for, in a sentence, with or without its full stop */
  constructor(why: string, notBefore: Date) {
    super('RATE_LIMITED', why, { retryable: true });
    this.notBefore = notBefore;
  }
}

/** How long an operation waits, and what its record says about that. */
export interface Waiting {
  readonly notBefore: Date;
  readonly error: OperationError;
}

/** What becomes of a handler's wish to wait. A time that is none or over has the operation run again at the next tick. */
export function waitingFor({ code, message, notBefore: wished }: Deferred, now: Date): Waiting {
  const latest = now.getTime() + longestWaitMs;
  const time = Number.isNaN(wished.getTime()) ? now.getTime() : wished.getTime();
  const notBefore = new Date(Math.max(now.getTime(), Math.min(time, latest)));
  const until = notBefore.toISOString();
  return {
    notBefore,
    error: new OperationError(
      code,
      `${message.replace(/[.\s]*$/, '')}. This is run again from ${until} on.`,
      {
        retryable: true,
        details: { notBefore: until },
      },
    ),
  };
}
