import { PubSub } from '@google-cloud/pubsub';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startSecretManager } from '../../../local/secretmanager/index.ts';
import { localProject, startStack } from '../../../local/stack.ts';
import { closeSecretManager, secretManager } from '../../../shared/gcp/secretmanager.ts';
import { clientOf } from './fixture.ts';

async function start() {
  const stack = await startStack({
    ports: 'auto',
    databases: { open: [] },
    policy: { rules: [] },
    only: [],
  });
  onTestFinished(() => stack.stop());
  return stack;
}

test('the Secret Manager of the local cloud tells the topics of its Pub/Sub', async () => {
  const { secretmanager, pubsub, environment } = await start();
  if (!secretmanager || !pubsub) expect.fail('a server is missing');
  expect(environment['SECRETMANAGER_EMULATOR_HOST']).toBe(secretmanager.host);
  const events = new PubSub({ projectId: localProject, apiEndpoint: pubsub.host, emulatorMode: true });
  onTestFinished(() => events.close());
  const [topic] = await events.createTopic('secret-events');
  const [subscription] = await topic.createSubscription('secret-events');
  const types: unknown[] = [];
  const { promise: both, resolve } = Promise.withResolvers<void>();
  subscription.on('message', (message) => {
    types.push(message.attributes['eventType']);
    message.ack();
    if (types.length === 2) resolve();
  });
  onTestFinished(() => subscription.close());
  const client = clientOf(secretmanager);
  onTestFinished(() => client.close());
  const create = (topicName: string) =>
    client.createSecret({
      parent: `projects/${localProject}`,
      secretId: 'database',
      secret: { replication: { automatic: {} }, topics: [{ name: topicName }] },
    });

  await expect(create(`${topic.name}-misspelt`)).rejects.toMatchObject({ code: 5 });
  await create(topic.name);

  await both;
  expect(types.toSorted()).toEqual(['SECRET_CREATE', 'TOPIC_CONFIGURED']);
});

test('a Secret Manager that is there already is used instead', async () => {
  const theirs = await startSecretManager({ project: localProject });
  onTestFinished(() => theirs.close());
  vi.stubEnv('SECRETMANAGER_EMULATOR_HOST', theirs.host);
  onTestFinished(() => void vi.unstubAllEnvs());

  const { secretmanager, environment } = await start();

  expect(secretmanager).toBeUndefined();
  expect(environment['SECRETMANAGER_EMULATOR_HOST']).toBe(theirs.host);
});

test('Drover’s own client goes where SECRETMANAGER_EMULATOR_HOST says', async () => {
  const server = await startSecretManager({ project: localProject });
  onTestFinished(() => server.close());
  vi.stubEnv('SECRETMANAGER_EMULATOR_HOST', server.host);
  vi.stubEnv('GOOGLE_CLOUD_PROJECT', localProject);
  onTestFinished(() => void vi.unstubAllEnvs());
  onTestFinished(closeSecretManager);

  const client = await secretManager();

  expect(await secretManager()).toBe(client);
  expect(await client.getProjectId()).toBe(localProject);
  const [secrets] = await client.listSecrets({ parent: `projects/${localProject}` });
  expect(secrets).toEqual([]);
  await closeSecretManager();
  expect(await secretManager()).not.toBe(client);
});
