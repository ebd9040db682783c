import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { GrpcError } from '../../../local/grpc/server.ts';
import { OperationError } from '../../../shared/operation/errors.ts';
import { claimOperation, renewLease } from '../../../shared/registry/claims.ts';
import { releaseOperation } from '../../../shared/registry/completion.ts';
import { isWrite, loseAnswer, useRegistry, wanted } from './fixture.ts';

const registry = useRegistry();
const outage = new OperationError('UNAVAILABLE', 'for now', { retryable: true });

describe('a lease', () => {
  it('runs from its last renewal', async () => {
    const claim = await registry.claim();
    for (const _ of [1, 2, 3]) {
      registry.server.advance(40);
      await renewLease(claim);
    }
    registry.server.advance(59);
    expect(await claimOperation(registry.db, wanted())).toEqual({ kind: 'busy' });
    registry.server.advance(2);
    expect(await claimOperation(registry.db, wanted())).toMatchObject({ kind: 'claimed' });
  });

  it('is lost to whoever took over', async () => {
    const claim = await registry.claim();
    registry.server.advance(61);
    const successor = await registry.claim();
    const before = await registry.record('one');
    await expect(renewLease(claim)).rejects.toMatchObject({ code: 'LEASE_LOST', retryable: true });
    expect(await registry.record('one')).toEqual(before);
    await expect(renewLease(successor)).resolves.toBeUndefined();
  });

  it('is lost again at the next try', async () => {
    const claim = await registry.claim();
    registry.server.advance(61);
    await registry.claim();
    for (const _ of [1, 2]) await expect(renewLease(claim)).rejects.toMatchObject({ code: 'LEASE_LOST' });
  });

  it('is kept by a late renewal where nobody took over', async () => {
    const claim = await registry.claim();
    registry.server.advance(1000);
    await renewLease(claim);
    expect(await claimOperation(registry.db, wanted())).toEqual({ kind: 'busy' });
  });

  it('goes on after a renewal whose answer was lost', async () => {
    const claim = await registry.claim();
    const lost = loseAnswer(registry.server, isWrite);
    // The client may send again by itself; it is refused then, for the first one has arrived.
    await renewLease(claim).catch(() => undefined);
    expect(lost()).toBe(true);
    registry.server.intercept = undefined;
    await renewLease(claim);
    await releaseOperation(claim, outage);
    expect((await registry.record('one')).state).toBe('pending');
  });

  it('outlives a renewal that fails', async () => {
    const claim = await registry.claim();
    registry.server.intercept = () => {
      throw new GrpcError(status.PERMISSION_DENIED, 'not now');
    };
    await expect(renewLease(claim)).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
    registry.server.intercept = undefined;
    await expect(renewLease(claim)).resolves.toBeUndefined();
  });
});

describe('an operation handed back', () => {
  it('says why, and is up for the next', async () => {
    await releaseOperation(await registry.claim(), outage);
    expect(await registry.record('one')).toMatchObject({
      state: 'pending',
      error: { code: 'UNAVAILABLE', message: 'for now' },
    });
  });

  it('stays with whoever took it over in the meantime', async () => {
    const claim = await registry.claim();
    registry.server.advance(61);
    const { owner } = await registry.claim();
    await expect(releaseOperation(claim, outage)).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
    });
    expect(await registry.record('one')).toMatchObject({ state: 'running', owner, epoch: 2 });
  });
});
