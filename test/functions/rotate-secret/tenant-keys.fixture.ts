import { status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { rotateSecretMessage } from '../../../functions/rotate-secret/message.ts';
import { retireSecret } from '../../../functions/rotate-secret/retire.ts';
import { rotateSecret } from '../../../functions/rotate-secret/rotate.ts';
import { verifySecret } from '../../../functions/rotate-secret/verify.ts';
import { GrpcError, type Interceptor } from '../../../local/grpc/server.ts';
import { type LocalSecretManager, startSecretManager } from '../../../local/secretmanager/index.ts';
import { open } from '../../../shared/api-keys/seal.ts';
import { closeSecretManager } from '../../../shared/gcp/secretmanager.ts';
import { accessVersion, findSecret, listVersions } from '../../../shared/gcp/secrets.ts';
import { hash } from '../../../shared/operation/canonical.ts';
import type { OperationContext } from '../../../shared/operation/definition.ts';
import type { Outcome } from '../../../shared/operation/outcome.ts';
import { verifyApiKey } from '../../../shared/registry/api-keys/verify.ts';
import { transactAsHolder } from '../../../shared/registry/claims.ts';
import { tenantDocument } from '../../../shared/registry/tenants/reference.ts';
import { establish } from '../../../shared/secrets/establish.ts';
import type { ManagedSecret } from '../../../shared/secrets/managed.ts';
import { type Registry, useRegistry } from '../../shared/registry/fixture.ts';
import { type TestKms, useKmsKey } from '../../support/kms.ts';

export const secret = 'tenant-acme-api-key';

export const managed: ManagedSecret = {
  kind: 'api-key',
  prefix: 'acme_api',
  tenant: { id: 'acme', incarnation: 1, scopes: ['read', 'write'] },
  graceMinutes: 60,
  policy: null,
};

/** A registry, a Secret Manager and a Cloud KMS, with the tenant `acme` and its first key. */
export interface KeyWorld {
  readonly registry: Registry;
  readonly secrets: LocalSecretManager;
  readonly kms: TestKms;
  /** Sees the calls of all three. */
  intercept(interceptor: Interceptor | undefined): void;
  /** Begins an operation, or takes it over from a worker that is gone. */
  begin(id: string): Promise<OperationContext>;
  rotate(operation: OperationContext): Promise<Outcome>;
  retire(operation: OperationContext): Promise<Outcome>;
  verify(operation: OperationContext, repair?: boolean): Promise<Outcome>;
  /** The key of an enabled version. */
  key(version: number): Promise<string>;
  current(): Promise<number>;
  /** `2 ENABLED`, the newest first. */
  states(): Promise<string[]>;
  /** `accepted`, or why it isn't. */
  accepts(key: string): Promise<string>;
  /** What the registry knows of all keys. */
  records(): Promise<Record<string, unknown>[]>;
  /** The last rotation was so long ago that what it replaced may be retired. */
  letGracePass(): Promise<void>;
}

export function useKeys(): KeyWorld {
  const kms = useKmsKey();
  const registry = useRegistry();
  const world: Omit<KeyWorld, 'secrets'> & { secrets: LocalSecretManager } = {
    secrets: undefined as unknown as LocalSecretManager,
    kms,
    registry,
    intercept(interceptor) {
      for (const server of [registry.server, world.secrets, kms.server]) server.intercept = interceptor;
    },
    async begin(id) {
      const ref = registry.db.collection('operations').doc(id);
      if ((await ref.get()).exists) await ref.update({ state: 'pending' });
      const claim = await registry.claim({ id, functionName: 'rotate-secret' });
      const unused = () => {
        throw new Error('no test needs this');
      };
      return {
        id,
        operationId: id,
        dryRun: false,
        signal: new AbortController().signal,
        remainingMs: () => 60_000,
        assertHeld: () => undefined,
        log: { log: () => undefined, with: unused, format: unused },
        pools: {} as OperationContext['pools'],
        asked: claim.order,
        registry: async (collection, ...key) =>
          registry.db.collection(collection).doc(hash(...key).slice(0, 40)),
        transact: (refs, update) => transactAsHolder(registry.db, claim, refs, update),
        intend: unused,
        fulfil: unused,
      };
    },
    rotate: (operation) => rotateSecret(rotateSecretMessage.parse({ secret, force: true }), operation),
    retire: (operation) => retireSecret(rotateSecretMessage.parse({ secret, action: 'retire' }), operation),
    verify: (operation, repair = false) =>
      verifySecret(rotateSecretMessage.parse({ secret, action: 'verify', repair }), operation),
    async key(version) {
      const opened = await open('acme', await accessVersion(secret, version));
      if ('key' in opened) return opened.key;
      throw new Error(`version ${version} ${opened.problem}`);
    },
    current: async () => (await findSecret(secret))?.aliases['current'] ?? 0,
    states: async () => (await listVersions(secret)).map(({ number, state }) => `${number} ${state}`),
    async accepts(key) {
      const verified = await verifyApiKey(registry.db, key, 'read');
      return verified.accepted ? 'accepted' : verified.reason;
    },
    async records() {
      return (await registry.db.collection('apiKeys').get()).docs.map((document) => document.data());
    },
    async letGracePass() {
      const ref = registry.db.collection('secrets').doc(hash(secret).slice(0, 40));
      await ref.update({ rotatedAt: new Date(Date.now() - 2 * 3_600_000) });
    },
  };
  beforeAll(() => {
    process.env['DROVER_POLICY'] = JSON.stringify({
      rules: [{ functions: ['rotate-secret'], secrets: ['*'], actions: ['force', 'repair'] }],
    });
  });
  beforeEach(async () => {
    world.secrets = await startSecretManager({ project: 'acme' });
    process.env['SECRETMANAGER_EMULATOR_HOST'] = world.secrets.host;
    await tenantDocument(registry.db, 'acme').set({ tenant: 'acme', state: 'active', incarnation: 1 });
    await establish({ id: secret, managed, found: undefined, action: 'create' }, await world.begin('create'));
  });
  afterEach(async () => {
    await closeSecretManager();
    await world.secrets.close();
  });
  afterAll(() => world.intercept(undefined));
  return world;
}

/** Has a process die before the call of this number, or after it: whatever it calls from then on fails. */
export function killAt(point: number): { interceptor: Interceptor; isKilled: () => boolean } {
  let seen = 0;
  return {
    interceptor: ({ method, phase }) => {
      // A read that isn't answered would keep its transaction's locks for a minute, as would one that isn't rolled back.
      const isRead = /^(BatchGetDocuments|BeginTransaction|RunQuery)$/.test(method);
      if (method === 'Rollback' || (isRead && phase === 'after')) return;
      seen += 1;
      if (seen > point) throw new GrpcError(status.PERMISSION_DENIED, 'killed');
    },
    isKilled: () => seen > point,
  };
}
