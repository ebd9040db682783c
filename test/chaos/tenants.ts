import { BigQuery } from '@google-cloud/bigquery';
import { Storage } from '@google-cloud/storage';
import { status } from '@grpc/grpc-js';
import { expect } from 'vitest';
import type { Step } from '../../functions/bootstrap-tenant/saga/step.ts';
import { GrpcError } from '../../local/grpc/server.ts';
import { localProject, type StackOptions } from '../../local/stack.ts';
import { open } from '../../shared/api-keys/seal.ts';
import { closeKms } from '../../shared/gcp/kms.ts';
import { hash } from '../../shared/operation/canonical.ts';
import { verifyApiKey } from '../../shared/registry/api-keys/verify.ts';
import { withDates } from '../../shared/registry/dates.ts';
import { operationDocumentId } from '../../shared/registry/operations.ts';
import { reopenOperation } from '../../shared/registry/replay.ts';
import type { StepRecord, TenantRecord } from '../../shared/registry/tenants/model.ts';
import { confirmationOf, readSteps } from '../../shared/registry/tenants/store.ts';
import { ownDatabase, tenantMessage } from '../e2e/tenants.ts';
import { connectedAs, logsIn, secretsOf, type TestCredential, type TestSecrets } from '../support/secrets.ts';
import { nameOf, watch } from './points.ts';
import { type ChaosStack, longSilenceSeconds, startChaosStack } from './stack.ts';
import { isAbout, lookAt, type Mode, type TenantState } from './tenant-state.ts';

/** A message for a whole tenant. */
export function wholeTenant(tenant: string, mode: Mode, more: object = {}) {
  return tenantMessage(tenant, { ...(mode === 'database' ? ownDatabase : {}), ...more });
}

/** Steps in the order in which they can be done: those of one list don't need each other. */
export function wavesOf(steps: readonly Step[]): string[][] {
  const depths = new Map<string, number>();
  for (const { name, needs } of steps) {
    depths.set(name, Math.max(0, ...needs.map((one) => (depths.get(one) ?? -1) + 1)));
  }
  const waves: string[][] = [];
  for (const [name, depth] of depths) waves[depth] = [...(waves[depth] ?? []), name];
  return waves;
}

/** An operation at a tenant that comes as far as some points, all at once, and no further. */
export interface Victim {
  readonly tenant: string;
  /** Of the operation. */
  readonly id: string;
  readonly message: object;
  /** `before Firestore: step login done`, `after PostgreSQL: BEGIN (2)`: of the tenant's, the second */
  readonly at: readonly string[];
}

/** What a tenant's applications log in by. */
export interface Entrance {
  readonly credential: TestCredential;
  readonly key: string;
}

/** A stack whose function under test is `bootstrap-tenant`. */
export interface TenantChaos {
  readonly stack: ChaosStack;
  readonly secrets: TestSecrets;
  readonly bigquery: BigQuery;
  readonly storage: Storage;
  send(id: string, message: object): Promise<void>;
  /** The same, and it succeeds. */
  done(id: string, message: object): Promise<void>;
  tenant(tenant: string): Promise<TenantRecord>;
  /** The steps that there are, by name. */
  steps(tenant: string): Promise<Record<string, StepRecord>>;
  removal(tenant: string): Promise<object>;
  look(tenant: string): Promise<TenantState>;
  outcome(id: string): Promise<Outcome>;
  /** The newest credential and key. */
  entrance(tenant: string): Promise<Entrance>;
  /** Whether they are good: of the key, why not. */
  enter(entrance: Entrance): Promise<{ readonly login: boolean; readonly key: string }>;
  /** Publishes the message of an operation that failed again, as the command line does. */
  replay(id: string): Promise<void>;
  /** Gives a tenant something to lose. */
  fill(tenant: string): Promise<void>;
  /** What it was given, as far as it is there. */
  content(tenant: string): Promise<unknown>;
  /** Holds operations at their points. */
  hold(victims: readonly Victim[], until: Promise<void>): Promise<void>;
  /** Lets each come to its points, kills the process that has them all, and lets another go on. */
  kill(victims: readonly Victim[], meanwhile?: () => void): Promise<void>;
  stop(): Promise<void>;
}

/** What the records say of an operation. */
export interface Outcome {
  readonly state: string | undefined;
  readonly code: string | undefined;
  readonly reported: boolean | undefined;
  /** States that were announced, one for each event. */
  readonly events: readonly string[];
}

export const contentOf = {
  rows: [{ count: 100, latest: 'order 100' }],
  visits: [{ page: '/' }],
  photo: 'a photo',
};

export async function startTenantChaos(options: Partial<StackOptions> = {}): Promise<TenantChaos> {
  const stack = await startChaosStack(options, ['bootstrap-tenant']);
  const secrets = secretsOf(stack);
  const { STORAGE_EMULATOR_HOST = '', BIGQUERY_EMULATOR_HOST = '' } = stack.environment;
  // By these what is sealed is opened.
  for (const name of ['KMS_EMULATOR_HOST', 'DROVER_KMS_KEY', 'GOOGLE_CLOUD_PROJECT']) {
    process.env[name] = stack.environment[name];
  }
  const storage = new Storage({ projectId: localProject, apiEndpoint: STORAGE_EMULATOR_HOST });
  const bigquery = new BigQuery({ projectId: localProject, apiEndpoint: BIGQUERY_EMULATOR_HOST });
  const tenants = storage.bucket(`${localProject}-tenants`);
  const refOf = (tenant: string) => stack.db.collection('tenants').doc(hash(tenant).slice(0, 40));
  const send = (id: string, message: object) => stack.send('bootstrap-tenant', message, { id });
  const tenant = async (id: string) => withDates((await refOf(id).get()).data() ?? {}) as TenantRecord;

  const cloud = { stack, secrets, bigquery, tenants, tenant };

  const hold = async (victims: readonly Victim[], until: Promise<void>) => {
    until.catch(() => undefined);
    const missing = new Map(
      victims.flatMap((victim) => victim.at.map((at) => [`${victim.tenant} ${at}`, victim] as const)),
    );
    const all = Promise.withResolvers<void>();
    const met = new Map<string, number>();
    const end = watch(stack, ({ call, phase, about }) => {
      const victim = victims.find((one) => isAbout(about, one.tenant));
      if (victim === undefined) return undefined;
      const key = `${victim.tenant} ${phase} ${call}`;
      const nth = (met.get(key) ?? 0) + 1;
      met.set(key, nth);
      if (!missing.delete(`${victim.tenant} ${nameOf({ call, nth, phase })}`)) return undefined;
      if (missing.size === 0) all.resolve();
      return until;
    });
    await Promise.all(victims.map(({ id, message }) => send(id, message)));
    const missed = victims.map(async ({ id }) => {
      const record = await stack.ended('bootstrap-tenant', id);
      throw new Error(`${id} ended before it was held: ${JSON.stringify(record.error ?? record.state)}`);
    });
    try {
      await Promise.race([all.promise, ...missed]);
    } finally {
      for (const one of missed) one.catch(() => undefined);
      end();
    }
  };

  return {
    stack,
    secrets,
    bigquery,
    storage,
    send,
    tenant,
    hold,
    async done(id, message) {
      await send(id, message);
      const record = await stack.ended('bootstrap-tenant', id);
      expect(record.error ?? record.state, id).toBe('succeeded');
    },
    async steps(id) {
      return Object.fromEntries((await readSteps(refOf(id))).map((step) => [step.step, step]));
    },
    async removal(id) {
      return { scope: 'remove', tenant: id, confirm: confirmationOf(await tenant(id)) };
    },
    look: (id) => lookAt(cloud, id),
    async entrance(id) {
      const secret = `tenant-${id}-api-key`;
      const opened = await open(id, Buffer.from(await secrets.value(secret, 'latest')));
      if (!('key' in opened)) throw new Error(`the key of ${id} ${opened.problem}`);
      return { credential: await secrets.credential(`tenant-${id}-database`, 'latest'), key: opened.key };
    },
    async enter({ credential, key }) {
      const verified = await verifyApiKey(stack.db, key, 'read');
      return { login: await logsIn(credential), key: verified.accepted ? 'accepted' : verified.reason };
    },
    async replay(id) {
      const document = operationDocumentId('bootstrap-tenant', { operationId: id, dryRun: false });
      const { topic, data, attributes } = await reopenOperation(stack.db, document);
      await stack.messaging.topic(topic).publishMessage({ data, attributes });
    },
    async outcome(id) {
      const record = await stack.record('bootstrap-tenant', id);
      const document = operationDocumentId('bootstrap-tenant', { operationId: id, dryRun: false });
      const events = new Map(stack.results.get(document)?.map((event) => [event.id, event.data.state]));
      return {
        state: record?.state,
        code: record?.error?.code,
        reported: record?.reported,
        events: [...events.values()],
      };
    },
    async fill(id) {
      const { place } = await tenant(id);
      const orders = `${place.schema}.orders`;
      const dataset = bigquery.dataset(`tenant_${id}`);
      await Promise.all([
        connectedAs(await secrets.credential(place.secret, 'current'), (client) =>
          client.query(`
            CREATE TABLE ${orders} (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text NOT NULL);
            INSERT INTO ${orders} (what) SELECT 'order ' || n FROM generate_series(1, 100) n;
            CREATE VIEW ${place.schema}.latest AS SELECT * FROM ${orders} ORDER BY id DESC LIMIT 1`),
        ),
        dataset
          .table('visits')
          .create({ schema: 'page:STRING' })
          .then(() => dataset.table('visits').insert([{ page: '/' }])),
        tenants.file(`tenants/${id}/photos/a.jpg`).save('a photo', { resumable: false }),
      ]);
    },
    async content(id) {
      const { place } = await tenant(id);
      const [rows, [visits], [photo]] = await Promise.all([
        connectedAs(await secrets.credential(place.secret, 'current'), async (client) => {
          const found = await client.query(
            `SELECT count(*)::int, (SELECT what FROM ${place.schema}.latest) AS latest FROM ${place.schema}.orders`,
          );
          return found.rows as unknown[];
        }),
        bigquery.dataset(`tenant_${id}`).table('visits').getRows(),
        tenants.file(`tenants/${id}/photos/a.jpg`).download(),
      ]);
      return { rows, visits, photo: photo.toString() };
    },
    async kill(victims, meanwhile = () => undefined) {
      const dead = Promise.withResolvers<void>();
      await hold(victims, dead.promise);
      const opened = Promise.withResolvers<void>();
      const endGate = watch(stack, ({ call, phase }) =>
        call === 'Pub/Sub: push' && phase === 'before' ? opened.promise : undefined,
      );
      const [exited, restarted] = [stack.worker.exited(), stack.worker.restarted()];
      process.kill(stack.worker.pid(), 'SIGKILL');
      await exited;
      dead.reject(new GrpcError(status.UNAVAILABLE, 'the function was killed here'));
      meanwhile();
      await restarted;
      // The dead are silent: the lease ends, and so does a transaction that was open.
      stack.firestore.advance(longSilenceSeconds);
      endGate();
      opened.resolve();
      await stack.pubsub.idle();
    },
    async stop() {
      await closeKms();
      await secrets.close();
      await stack.stop();
    },
  };
}
