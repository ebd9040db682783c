import { type Claim, leaseLost, renewLease } from '../registry/claims.ts';

export interface LeaseKeeper {
  /**
   * Throws where the lease may be over by this process's own clock, which goes on while the process is frozen: to be called
   * right before what nothing else can fence.
   *
   * @throws OperationError `LEASE_LOST`
   */
  assertHeld(): void;
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
  let renewedAt = performance.now();
  const timer = setInterval(
    () => {
      if (underWay || controller.signal.aborted) return;
      underWay = true;
      const begunAt = performance.now();
      renewal = renewLease(claim)
        .then(() => {
          renewedAt = begunAt;
        })
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
    assertHeld() {
      if (performance.now() - renewedAt >= leaseSeconds * 1000) throw leaseLost(claim);
    },
    async stop() {
      clearInterval(timer);
      await renewal;
    },
  };
}
