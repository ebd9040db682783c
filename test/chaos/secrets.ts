import { status } from '@grpc/grpc-js';
import pg from 'pg';
import { expect } from 'vitest';
import { localProject, type StackOptions } from '../../local/stack.ts';
import { operationDocumentId } from '../../shared/registry/operations.ts';
import type { SecretRecord } from '../../shared/registry/secrets/model.ts';
import { secretsOf, type TestSecrets } from '../support/secrets.ts';
import { target } from '../support/stack.ts';
import { nameOf, type Point, watch } from './points.ts';
import { type ChaosStack, startChaosStack } from './stack.ts';

/** Kinds of secrets, as they are asked for. */
export const kinds = {
  'two-user': { kind: 'postgres', strategy: 'two-user' },
  'single-user': { kind: 'postgres', strategy: 'single-user' },
  'api-key': { kind: 'api-key', prefix: 'acme' },
} as const;

export type Kind = keyof typeof kinds;

/** What applications can do with a secret. */
export interface SecretState {
  readonly versions: number;
  /** The value that `current` leads to. */
  readonly current: string;
  /** Its login; undefined where the kind has none. */
  readonly login: string | undefined;
  /** Of `current`, `latest` and the enabled versions, those that don't work. */
  readonly broken: readonly (string | number)[];
  /** Whether `previous` works; undefined where there is none. */
  readonly previous: boolean | undefined;
  /** Whether `latest` leads to the same value as `current`. */
  readonly isLatest: boolean;
}

/** A stack whose function under test is `rotate-secret`. */
export interface SecretChaos {
  readonly stack: ChaosStack;
  readonly secrets: TestSecrets;
  /** Asks for a rotation, also within the grace period with `force`. */
  rotate(secret: string, id: string, more?: { readonly force: boolean }): Promise<void>;
  /** The same, and it succeeds. */
  rotated(secret: string, id: string): Promise<void>;
  /** Creates secrets of a kind, and rotates them once: then they have two versions, and two logins are in use. */
  create(kind: Kind, ...secrets: readonly string[]): Promise<void>;
  /** Lets the grace period be over. */
  passGrace(...secrets: readonly string[]): Promise<void>;
  look(secret: string): Promise<SecretState>;
  /** Whether a password is a login's. */
  logsIn(user: string, password: string): Promise<boolean>;
  outcome(secret: string, id: string): Promise<Outcome>;
  stop(): Promise<void>;
}

/** What the records say of a rotation. */
export interface Outcome {
  readonly state: string | undefined;
  readonly code: string | undefined;
  readonly reported: boolean | undefined;
  /** Entries of it in the secret's history. */
  readonly history: number;
  /** Whether something is under way. */
  readonly open: boolean;
  readonly currentVersion: number | null | undefined;
}

export async function startSecretChaos(options: Partial<StackOptions> = {}): Promise<SecretChaos> {
  const stack = await startChaosStack(options, ['rotate-secret']);
  const secrets = secretsOf(stack);
  await stack.send('create-schema', { target: target('app'), schema: 'billing' }, { id: 'billing' });
  await stack.ended('create-schema', 'billing');

  const send = (id: string, message: object) => stack.send('rotate-secret', message, { id });
  const done = async (id: string, message: object) => {
    await send(id, message);
    expect(await stack.ended('rotate-secret', id), id).toMatchObject({ state: 'succeeded' });
  };
  const passGrace = async (...names: readonly string[]) => {
    const rotatedAt = new Date(Date.now() - 48 * 3_600_000);
    await Promise.all(names.map((name) => secrets.set(name, { rotatedAt })));
  };
  const logsIn = async (user: string, password: string) => {
    const connectionString = stack.cluster.url(user, password, 'app');
    // A session of an application would be in the way of a rotation, even one that has just ended.
    const client = new pg.Client({ connectionString, application_name: 'drover/test' });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return true;
    } catch (error) {
      if ((error as { code?: string }).code === '28P01') return false;
      throw error;
    } finally {
      await client.end().catch(() => undefined);
    }
  };
  const credentialOf = (value: string) =>
    value.startsWith('{') ? (JSON.parse(value) as { username: string; password: string }) : undefined;
  const works = async (secret: string, version: string | number) => {
    try {
      const credential = credentialOf(await secrets.value(secret, version));
      return credential === undefined || (await logsIn(credential.username, credential.password));
    } catch (error) {
      // `latest`, where it was disabled.
      if ((error as { code?: unknown }).code === status.FAILED_PRECONDITION) return false;
      throw error;
    }
  };
  const aliasesOf = async (secret: string) => {
    const [found] = await secrets.client.getSecret({ name: `projects/${localProject}/secrets/${secret}` });
    return found.versionAliases ?? {};
  };
  const valueOrNothing = (secret: string, version: string) =>
    secrets.value(secret, version).catch(() => undefined);

  return {
    stack,
    secrets,
    rotate: (secret, id, more) => send(id, { secret, ...more }),
    rotated: (secret, id) => done(id, { secret }),
    passGrace,
    logsIn,
    async create(kind, ...names) {
      const { [kind]: fields } = kinds;
      const where =
        fields.kind === 'postgres' ? { target: target('app'), schema: 'billing', level: 'writer' } : {};
      await Promise.all(
        names.map(async (secret) => {
          await done(`create-${secret}`, { secret, action: 'create', ...fields, ...where });
          await done(`first-${secret}`, { secret });
        }),
      );
      await stack.pubsub.idle();
      await passGrace(...names);
    },
    async look(secret) {
      const versions = await secrets.versions(secret);
      const enabled = versions.filter(({ state }) => state === 'ENABLED').map(({ number }) => number);
      const tried = ['current', 'latest', ...enabled];
      const found = await Promise.all(tried.map((version) => works(secret, version)));
      const current = await secrets.value(secret, 'current');
      const hasPrevious = 'previous' in (await aliasesOf(secret));
      return {
        previous: hasPrevious ? await works(secret, 'previous') : undefined,
        versions: versions.length,
        current,
        login: credentialOf(current)?.username,
        broken: tried.filter((_, index) => !found[index]),
        isLatest: (await valueOrNothing(secret, 'latest')) === current,
      };
    },
    async outcome(secret, id) {
      const [operation, record] = await Promise.all([
        stack.record('rotate-secret', id),
        secrets.record(secret) as Promise<SecretRecord | undefined>,
      ]);
      const document = operationDocumentId('rotate-secret', { operationId: id, dryRun: false });
      return {
        state: operation?.state,
        code: operation?.error?.code,
        reported: operation?.reported,
        history: record?.history.filter((entry) => entry.operation === document).length ?? 0,
        open: record?.open !== null,
        currentVersion: record?.current,
      };
    },
    async stop() {
      await secrets.close();
      await stack.stop();
    },
  };
}

/**
 * Names the points of one rotation, whatever else the process does at the same time: renewals, connections of its own,
 * reading. `proof` is a connection as the login whose password was set. Undefined for a point that isn't about it.
 */
export function labels(): (point: Point) => string | undefined {
  const met = new Map<string, number>();
  let isChanged = false;
  let isSet = false;
  return ({ call, phase }) => {
    const isWrite = /^Firestore: secret$|^Secret Manager: (?!Get|List|Access)/.test(call);
    const isStatement = /^PostgreSQL: (BEGIN|ALTER ROLE|COMMENT ON|COMMIT)$/.test(call);
    const isProof = isSet && /^PostgreSQL: (Startup|Password|SELECT)/.test(call);
    // Other transactions look, and change nothing.
    if (call === 'PostgreSQL: ALTER ROLE') isChanged = true;
    if (call === 'PostgreSQL: COMMIT' && phase === 'after') isSet = isChanged;
    if (!isWrite && !isStatement && !isProof) return undefined;
    const step = isProof ? call.replace(/^PostgreSQL: (\w+).*/, 'proof: $1') : call;
    const nth = (met.get(`${phase} ${step}`) ?? 0) + 1;
    met.set(`${phase} ${step}`, nth);
    return nameOf({ call: step, nth, phase });
  };
}

/** A rotation that comes as far as a point. */
export interface Held {
  readonly secret: string;
  /** Of the rotation. */
  readonly id: string;
  /** As {@link labels} calls it. */
  readonly at: string;
}

/**
 * Has secrets rotated, and holds each rotation when it comes to its point: one after the other, so that whatever the
 * process does is about the one whose turn it is.
 *
 * @param until when they go on, or break
 */
export async function holdAll(
  { stack, rotate }: Pick<SecretChaos, 'stack' | 'rotate'>,
  rotations: readonly Held[],
  until: Promise<void>,
): Promise<void> {
  until.catch(() => undefined);
  for (const { secret, id, at } of rotations) {
    const label = labels();
    const met = Promise.withResolvers<void>();
    const end = watch(stack, (point) => {
      if (label(point) !== at) return undefined;
      end();
      met.resolve();
      return until;
    });
    await rotate(secret, id);
    const missed = stack.ended('rotate-secret', id).then((record) => {
      throw new Error(`nothing came to "${at}" of ${secret}: ${JSON.stringify(record)}`);
    });
    await Promise.race([met.promise, missed]);
    missed.catch(() => undefined);
  }
}
