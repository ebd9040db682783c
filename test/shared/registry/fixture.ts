import type { Firestore } from '@google-cloud/firestore';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { type LocalFirestore, startFirestore } from '../../../local/firestore/index.ts';
import { GrpcError, type InterceptedCall } from '../../../local/grpc/server.ts';
import { closeFirestore, firestore } from '../../../shared/gcp/firestore.ts';
import { type Claim, claimOperation, type Wanted } from '../../../shared/registry/claims.ts';
import type { OperationRecord } from '../../../shared/registry/operations.ts';

export interface Registry {
  server: LocalFirestore;
  /** The product's own client. */
  db: Firestore;
  /** The record of an operation; fails where there is none. */
  record(id: string): Promise<OperationRecord>;
  /** Takes an operation, which has to be there for the taking. */
  claim(more?: Partial<Wanted>): Promise<Claim>;
}

/** One Firestore for the tests of a file, empty before each. */
export function useRegistry(): Registry {
  const registry: Partial<Registry> = {
    async record(id) {
      const found = await used.db.collection('operations').doc(id).get();
      if (!found.exists) throw new Error(`no record ${id}`);
      return found.data() as OperationRecord;
    },
    async claim(more) {
      const claimed = await claimOperation(used.db, wanted(more));
      if (claimed.kind !== 'claimed') throw new Error(`not claimed: ${claimed.kind}`);
      return claimed.claim;
    },
  };
  const used = registry as Registry;
  beforeAll(async () => {
    registry.server = await startFirestore();
    process.env['FIRESTORE_EMULATOR_HOST'] = registry.server.host;
    process.env['METADATA_SERVER_DETECTION'] = 'none';
    process.env['GOOGLE_CLOUD_PROJECT'] = 'acme';
    registry.db = await firestore();
  });
  beforeEach(() => {
    used.server.intercept = undefined;
    used.server.clear();
  });
  afterAll(async () => {
    await closeFirestore();
    await used.server.close();
  });
  return used;
}

export const publishTime = new Date('2026-03-01T10:00:00Z');

export function wanted(more: Partial<Wanted> = {}): Wanted {
  return {
    id: 'one',
    functionName: 'create-schema',
    request: { operationId: 'deploy-1', dryRun: false, publishedAt: publishTime },
    delivery: {
      data: Buffer.from('{"a":1}'),
      attributes: { 'operation-id': 'deploy-1' },
      messageId: '7',
      publishTime,
    },
    messageHash: 'hash of it',
    target: 'acme:europe-west1:main/app',
    leaseSeconds: 60,
    ...more,
  };
}

/**
 * Breaks the answer of the first call that `concerns` says, after it took effect.
 *
 * @returns whether that happened
 */
export function loseAnswer(
  server: LocalFirestore,
  concerns: (call: InterceptedCall) => boolean,
): () => boolean {
  let lost = false;
  server.intercept = (call) => {
    if (lost || call.phase !== 'after' || !concerns(call)) return;
    lost = true;
    throw new GrpcError(status.UNAVAILABLE, 'the answer is lost');
  };
  return () => lost;
}

/** A commit that writes something, as opposed to one that only ends a transaction. */
export function isWrite({ method, request }: InterceptedCall): boolean {
  return method === 'Commit' && Array.isArray(request['writes']) && request['writes'].length > 0;
}
