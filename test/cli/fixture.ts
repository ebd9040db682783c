import { AsyncLocalStorage } from 'node:async_hooks';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { Firestore } from '@google-cloud/firestore';
import { type Message, PubSub, type Subscription } from '@google-cloud/pubsub';
import { afterAll, beforeAll, onTestFinished, vi } from 'vitest';
import * as z from 'zod';
import { run } from '../../cli/run.ts';
import { type LocalFirestore, startFirestore } from '../../local/firestore/index.ts';
import { compileCache } from '../../local/functions.ts';
import { type LocalPubSub, startPubSub } from '../../local/pubsub/index.ts';
import { closeFirestore } from '../../shared/gcp/firestore.ts';
import { closePubSub } from '../../shared/gcp/pubsub.ts';
import { defineOperation } from '../../shared/operation/define.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import type { Outcome } from '../../shared/operation/outcome.ts';

// As `drover` doesn't pass it on: what is printed has no colours, neither there nor here.
delete process.env['FORCE_COLOR'];

const checkout = path.resolve(import.meta.dirname, '..', '..');

export const project = 'test-project';
export const functionName = 'create-schema';
const target = { instance: `${project}:europe-west1:main`, database: 'app' };

/** What a run of the command left. */
export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Buffer;
  /** Instead of the environment of {@link useCloud}. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Folder of the program. */
  readonly from?: string;
}

/** Runs the real command. */
export async function drover(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const { input = '', environment = cloudEnvironment(), from = checkout } = options;
  const child = spawn(process.execPath, [path.join(from, 'cli', 'main.ts'), ...args], {
    env: { NODE_COMPILE_CACHE: compileCache, ...environment },
    stdio: 'pipe',
  });
  child.stdin.on('error', () => undefined); // not every command reads it
  child.stdin.end(input);
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
  return { code, stdout, stderr };
}

/**
 * Runs a command line in this process, for what neither needs the cloud nor the process: starting one takes longer
 * than everything else about it.
 */
export async function droverHere(...args: readonly string[]): Promise<Ran> {
  return captured(() => run(args));
}

/**
 * Runs a command line in this process with the cloud of {@link useCloud}, one at a time.
 *
 * By modules of its own, so that clients that a command closes are not those of a {@link worker}.
 */
export async function droverInCloud(...args: readonly string[]): Promise<Ran> {
  command ??= importAnew();
  const own = await command;
  return captured(() => own.run(args));
}

let command: Promise<typeof import('../../cli/run.ts')> | undefined;

async function importAnew(): Promise<typeof import('../../cli/run.ts')> {
  vi.resetModules();
  return import('../../cli/run.ts');
}

/** What is written on behalf of a command: workers of this process write, too. */
const outputs = new AsyncLocalStorage<{ stdout: string; stderr: string }>();

async function captured(work: () => Promise<number>): Promise<Ran> {
  const written = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) => {
    const write = process[name].write.bind(process[name]);
    return vi.spyOn(process[name], 'write').mockImplementation((text) => {
      const output = outputs.getStore();
      if (output === undefined) return write(text);
      output[name] += String(text);
      return true;
    });
  });
  try {
    return { code: await outputs.run(written, work), ...written };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

function cloudEnvironment(): Record<string, string> {
  const names = ['GOOGLE_CLOUD_PROJECT', 'PUBSUB_EMULATOR_HOST', 'FIRESTORE_EMULATOR_HOST'];
  return Object.fromEntries(names.map((name) => [name, process.env[name] ?? '']));
}

export interface Cloud {
  pubsub: LocalPubSub;
  firestore: LocalFirestore;
  db: Firestore;
  client: PubSub;
}

/** The local services and the topics of some functions, for the tests of a file. */
export function useCloud(functions: readonly string[] = [functionName]): Cloud {
  const cloud = {} as Cloud;
  beforeAll(async () => {
    cloud.pubsub = await startPubSub();
    cloud.firestore = await startFirestore();
    Object.assign(process.env, {
      GOOGLE_CLOUD_PROJECT: project,
      PUBSUB_EMULATOR_HOST: cloud.pubsub.host,
      FIRESTORE_EMULATOR_HOST: cloud.firestore.host,
      METADATA_SERVER_DETECTION: 'none',
      DROVER_LOG_LEVEL: 'error',
      DROVER_POLICY: JSON.stringify({ rules: [{ functions, targets: ['*:*:*/*'] }] }),
    });
    cloud.db = new Firestore({ projectId: project });
    cloud.client = new PubSub({ projectId: project });
    await Promise.all([...functions, 'operation-results'].map((topic) => cloud.client.createTopic(topic)));
  });
  afterAll(async () => {
    await Promise.all([cloud.db.terminate(), cloud.client.close(), closeFirestore(), closePubSub()]);
    await Promise.all([cloud.pubsub.close(), cloud.firestore.close()]);
  });
  return cloud;
}

let subscriptions = 0;

/** A pull subscription to a function's topic. It gets what is published from now on. */
export async function subscribe({ client }: Cloud, topic = functionName): Promise<Subscription> {
  subscriptions += 1;
  const [subscription] = await client
    .topic(topic)
    .createSubscription(`subscription-${subscriptions}`, { retryPolicy: { minimumBackoff: { seconds: 0 } } });
  onTestFinished(async () => {
    await subscription.close();
    await subscription.delete();
  });
  return subscription;
}

/** The next message that arrives. */
export async function receive(subscription: Subscription): Promise<Message> {
  return new Promise((resolve, reject) => {
    subscription.once('error', reject);
    subscription.once('message', (message: Message) => {
      message.ack();
      resolve(message);
    });
  });
}

/** Does what the function does with a message: the product's own life of a message around another handler. */
export type Worker = (message: Pick<Message, 'id' | 'data' | 'attributes' | 'publishTime'>) => Promise<void>;

export function worker(run: (message: unknown, context: OperationContext) => Promise<Outcome>): Worker {
  const handle = defineOperation({
    name: functionName,
    timeoutSeconds: 60,
    message: z.strictObject({ schema: z.string() }),
    access: () => ({ target, levels: [], principals: [], actions: [] }),
    run,
  });
  return asWorker(handle);
}

/** Has the life of a message get one that was pulled. */
export function asWorker(handle: (event: unknown) => Promise<void>): Worker {
  return ({ id, data, attributes, publishTime }) =>
    handle({
      message: {
        data: data.toString('base64'),
        attributes,
        messageId: id,
        publishTime: publishTime.toISOString(),
      },
    });
}

/** Has a worker handle whatever is published while the test runs; what it refuses comes again. */
export async function startWorker(cloud: Cloud, work: Worker, topic = functionName): Promise<void> {
  const subscription = await subscribe(cloud, topic);
  subscription.on('message', (message: Message) => {
    void work(message).then(
      () => message.ack(),
      () => message.nack(),
    );
  });
}

let messages = 0;

/** Has a worker handle a message that nobody published. */
export async function deliver(
  work: Worker,
  data: unknown,
  attributes: Readonly<Record<string, string>>,
): Promise<void> {
  messages += 1;
  const bytes = Buffer.isBuffer(data) ? data : Buffer.from(JSON.stringify(data));
  await work({
    id: String(messages),
    data: bytes,
    attributes: { ...attributes },
    publishTime: new Date() as Message['publishTime'],
  });
}

/** An operation id that no other test uses. */
export function newId(): string {
  messages += 1;
  return `operation-${messages}`;
}

/** The lines of an indented list, by their names. */
export function facts(stdout: string): Record<string, string> {
  const lines = stdout.split('\n').map((line) => line.trim().split(/ {2,}/));
  return Object.fromEntries(lines.map(([name = '', ...rest]) => [name, rest.join('  ')]));
}

/** The cells of a table. */
export function cells(stdout: string): string[][] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/));
}
