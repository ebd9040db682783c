import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Message, PubSub, type Subscription, type Topic } from '@google-cloud/pubsub';
import pg from 'pg';
import { bundle, startFile } from '../../bundle.ts';
import { localInstance, localProject, type Stack, startStack } from '../../local/stack.ts';
import { attribute } from '../../shared/operation/request.ts';

/** A local cloud whose functions run as they do in production, bundled, with a publisher and a subscriber. */
export interface Cloud extends Omit<Stack, 'pubsub'> {
  /** The official client. */
  readonly pubsub: PubSub;
  readonly stack: Stack;
  /** Publishes a message and resolves when the result event of its operation was received. */
  ask(topic: string, id: string, data: unknown): Promise<Answer>;
  /** Publishes without waiting. */
  publish(topic: string, id: string, data: unknown): Promise<void>;
  /** Result events so far, by the operation's id. */
  readonly answers: ReadonlyMap<string, readonly Answer[]>;
  query<R extends pg.QueryResultRow>(database: string, text: string): Promise<R[]>;
}

/** A result event, and when it was received, on the clock of `performance.now()`. */
export interface Answer {
  readonly text: string;
  readonly receivedAt: number;
}

/** Everything is allowed: what the policy costs is measured, what it refuses is not. */
const targets = [`${localInstance}/*`];
const levels = ['owner', 'writer', 'reader', 'analyst'];
const rules = [
  { functions: ['create-schema'], targets, levels, actions: [] },
  { functions: ['rotate-secret'], targets, levels, secrets: ['*'], actions: ['create', 'force'] },
  { functions: ['bootstrap-tenant'], targets, levels, actions: ['createDatabase'] },
  { functions: ['sync-repo-metadata'], targets, repositories: ['gs://*/**'], actions: [] },
  { functions: ['grant-roles'], targets, levels, principals: ['*'], actions: [] },
  { functions: ['ingest-object'], targets, levels, principals: ['*'], actions: [] },
];

/**
 * @param functions that are started, beside the one for dead letters; they alone have rules in the policy
 * @param onDatabaseLog told what PostgreSQL logs
 * @param environment more variables for the functions
 */
export async function startCloud(
  databases: readonly string[],
  functions: readonly string[] = ['create-schema'],
  onDatabaseLog: (line: string) => void = () => undefined,
  environment: Readonly<Record<string, string>> = {},
): Promise<Cloud> {
  // There is no Google to ask who we are; looking for it takes time and warns.
  process.env['METADATA_SERVER_DETECTION'] = 'none';
  const folder = await mkdtemp(path.join(tmpdir(), 'drover-bench-'));
  await bundle(folder);
  const stack = await startStack({
    ports: 'auto',
    databases: { open: databases },
    policy: { rules: rules.filter((rule) => rule.functions.some((name) => functions.includes(name))) },
    minimumBackoffSeconds: 1,
    only: [...functions, 'dead-letter'],
    entry: path.join(folder, startFile),
    onDatabaseLog,
    environment,
    onLog: (name, line) => {
      if (/"severity":"(WARNING|ERROR)"/.test(line)) console.error(`${name}: ${line}`);
    },
  });
  const host = stack.environment['PUBSUB_EMULATOR_HOST'] ?? '';
  const pubsub = new PubSub({ projectId: localProject, apiEndpoint: host, emulatorMode: true });
  const topics = new Map<string, Topic>();
  const answers = new Map<string, Answer[]>();
  const waiting = new Map<string, (answer: Answer) => void>();
  const results = await subscribe(pubsub, (message) => {
    const answer = { text: message.data.toString(), receivedAt: performance.now() };
    const id = message.attributes[attribute.operationId] ?? '';
    answers.set(id, [...(answers.get(id) ?? []), answer]);
    waiting.get(id)?.(answer);
    waiting.delete(id);
  });
  const publish = async (name: string, id: string, data: unknown) => {
    const topic = topics.get(name) ?? pubsub.topic(name, { batching: { maxMessages: 1 } });
    topics.set(name, topic);
    await topic.publishMessage({
      data: Buffer.from(JSON.stringify(data)),
      attributes: { [attribute.operationId]: id },
    });
  };
  return {
    ...stack,
    stack,
    pubsub,
    answers,
    publish,
    async ask(topic, id, data) {
      const { promise, resolve } = Promise.withResolvers<Answer>();
      waiting.set(id, resolve);
      await publish(topic, id, data);
      return promise;
    },
    async query<R extends pg.QueryResultRow>(database: string, text: string) {
      const client = new pg.Client({ connectionString: stack.cluster.superuserUrl(database) });
      await client.connect();
      try {
        return (await client.query<R>(text)).rows;
      } finally {
        await client.end();
      }
    },
    async stop() {
      await results.close();
      await pubsub.close();
      await stack.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function subscribe(pubsub: PubSub, onMessage: (message: Message) => void): Promise<Subscription> {
  const [subscription] = await pubsub.topic('operation-results').createSubscription('bench-results');
  subscription.on('message', (message: Message) => {
    onMessage(message);
    message.ack();
  });
  subscription.on('error', (error) => console.error(`the subscription of results: ${error.message}`));
  return subscription;
}
