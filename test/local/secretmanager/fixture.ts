import { SecretManagerServiceClient } from '@google-cloud/secret-manager';
import { credentials } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import {
  type LocalSecretManager,
  type Publish,
  startSecretManager,
} from '../../../local/secretmanager/index.ts';

export const project = 'test-project';
export const projectNumber = '4711';
export const parent = `projects/${project}`;

/** Where the server's time stands when it starts. */
export const start = new Date('2026-03-01T12:00:00Z');

/** What went to a topic. */
export interface Published {
  readonly topic: string;
  /** The resource; undefined where a message has no data. */
  readonly resource: Record<string, unknown> | undefined;
  readonly attributes: Readonly<Record<string, string>>;
}

/** One server and the official client for it. */
export interface Cloud {
  server: LocalSecretManager;
  client: SecretManagerServiceClient;
  /** All that was published since the test began. */
  published: Published[];
  /** What the next messages meet; by default they arrive. */
  publish: Publish;
}

/** One server for the tests of a file; {@link newSecret} keeps them apart. Its time stands still. */
export function useSecretManager(): Cloud {
  const cloud: Cloud = { published: [], publish: () => undefined } as unknown as Cloud;
  beforeAll(async () => {
    cloud.server = await startSecretManager({
      project,
      projectNumber,
      now: () => start,
      publish(topic, data, attributes) {
        const arrive = () => {
          const resource = data.length > 0 ? JSON.parse(data.toString()) : undefined;
          cloud.published.push({ topic, resource, attributes });
        };
        const sent = cloud.publish(topic, data, attributes);
        return sent instanceof Promise ? sent.then(arrive) : arrive();
      },
    });
    cloud.client = clientOf(cloud.server);
  });
  afterEach(async () => {
    await cloud.server.idle();
    cloud.server.intercept = undefined;
    cloud.publish = () => undefined;
    cloud.published.length = 0;
  });
  afterAll(async () => {
    await cloud.client.close();
    await cloud.server.close();
  });
  return cloud;
}

export function clientOf({ host }: LocalSecretManager): SecretManagerServiceClient {
  // Without this the client looks for a metadata server first.
  process.env['METADATA_SERVER_DETECTION'] = 'none';
  return new SecretManagerServiceClient({
    apiEndpoint: '127.0.0.1',
    port: Number(host.split(':')[1]),
    sslCreds: credentials.createInsecure(),
    projectId: project,
  });
}

let ids = 0;

/** An id that no other test of the file uses. */
export function newId(): string {
  ids += 1;
  return `secret-${ids}`;
}

type CreateRequest = Parameters<SecretManagerServiceClient['createSecret']>[0];
export type SecretFields = NonNullable<NonNullable<CreateRequest>['secret']>;

/** Makes a secret. @returns it as the server answered, with its name, which has the project's number */
export async function newSecret({ client }: Cloud, fields: SecretFields = {}, secretId = newId()) {
  const [secret] = await client.createSecret({
    parent,
    secretId,
    secret: { replication: { automatic: {} }, ...fields },
  });
  return { ...secret, name: secret.name ?? '', etag: secret.etag ?? '' };
}

/** Adds a version. */
export async function newVersion({ client }: Cloud, secretName: string, text = 'value') {
  const [version] = await client.addSecretVersion({
    parent: secretName,
    payload: { data: Buffer.from(text) },
  });
  return { ...version, name: version.name ?? '', etag: version.etag ?? '' };
}

/** The text of a version. */
export async function accessText({ client }: Cloud, name: string): Promise<string> {
  const [{ payload }] = await client.accessSecretVersion({ name });
  return Buffer.from(payload?.data ?? '').toString();
}

/** A google.protobuf.Timestamp, so many seconds after {@link start}. */
export function inSeconds(seconds: number): { seconds: number } {
  return { seconds: start.getTime() / 1000 + seconds };
}

/** The same as an answer has it. */
export function answeredInSeconds(seconds: number) {
  return expect.objectContaining({ seconds: String(inSeconds(seconds).seconds), nanos: 0 });
}

export const invalid = (details: string | RegExp) => refusal(3, details);
export const missing = (details: string | RegExp) => refusal(5, details);
export const precondition = (details: string | RegExp) => refusal(9, details);
export const unsupported = (details: string | RegExp) => refusal(12, details);

export const staleEtag = precondition(/etag provided in the request does not match/);

function refusal(code: number, details: string | RegExp) {
  return { code, details: typeof details === 'string' ? details : expect.stringMatching(details) };
}
