import { type Claim, renewLease } from '../registry/claims.ts';

export interface LeaseKeeper {
  /** Ends the renewal and waits for one under way, so that the claim's token is settled. */
  stop(): Promise<void>;
}

/**
 * Renews a lease at a third of its time, as long as the worker works. A renewal that fails is tried again at the next
 * turn; when the lease is lost the work is aborted, for nothing that it still does will count.
 *
 * Work that was told to end has what is left of the lease to do so: if it goes on for ever, another worker must be able
 * to take the operation over.
 */
export function keepLease(claim: Claim, leaseSeconds: number, controller: AbortController): LeaseKeeper {
  let renewal: Promise<void> = Promise.resolve();
  let underWay = false;
  const timer = setInterval(
    () => {
      if (underWay || controller.signal.aborted) return;
      underWay = true;
      renewal = renewLease(claim)
        .catch((error: unknown) => {
          if (error instanceof Error && 'code' in error && error.code === 'LEASE_LOST')
            controller.abort(error);
        })
        .finally(() => {
          underWay = false;
        });
    },
    (leaseSeconds * 1000) / 3,
  );
  return {
    async stop() {
      clearInterval(timer);
      await renewal;
    },
  };
}
