import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { localProject } from '../../local/stack.ts';
import { startTestStack, type TestStack, target } from '../support/stack.ts';

let stack: TestStack;

beforeAll(async () => {
  stack = await startTestStack();
});

afterAll(() => stack.stop());

const topic = `projects/${localProject}/topics/create-schema`;

function pushOf(schema: string) {
  const data = Buffer.from(JSON.stringify({ target: target('app'), schema })).toString('base64');
  return {
    message: {
      data,
      messageId: `message-${schema}`,
      publishTime: '2026-07-01T12:00:00.123Z',
      attributes: { 'operation-id': schema },
    },
    subscription: `projects/${localProject}/subscriptions/create-schema`,
  };
}

const event = {
  id: 'event-1',
  source: `//pubsub.googleapis.com/${topic}`,
  type: 'google.cloud.pubsub.topic.v1.messagePublished',
  specversion: '1.0',
};

async function post(path: string, headers: Record<string, string>, body: unknown): Promise<number> {
  const url = `${stack.functions.get('create-schema')?.url}${path}`;
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  await response.arrayBuffer();
  return response.status;
}

const json = { 'content-type': 'application/json' };

describe('a function', () => {
  it.each([
    {
      envelope: 'a CloudEvent in binary mode, as Eventarc sends it',
      schema: 'binary',
      send: () =>
        post(
          '/',
          {
            ...json,
            ...Object.fromEntries(Object.entries(event).map(([name, value]) => [`ce-${name}`, value])),
          },
          pushOf('binary'),
        ),
    },
    {
      envelope: 'a CloudEvent in structured mode',
      schema: 'structured',
      send: () =>
        post(
          '/',
          { 'content-type': 'application/cloudevents+json' },
          { ...event, data: pushOf('structured') },
        ),
    },
    {
      envelope: 'the push of a subscription, with the topic in its path',
      schema: 'pushed',
      send: () => post(`/${topic}`, json, pushOf('pushed')),
    },
    {
      envelope: 'the push of a subscription, at the root',
      schema: 'rooted',
      send: () => post('/', json, pushOf('rooted')),
    },
  ])('takes $envelope', async ({ schema, send }) => {
    expect(await send()).toBe(204);
    const record = await stack.record('create-schema', schema);
    expect(record).toMatchObject({ state: 'succeeded', messageId: `message-${schema}`, operationId: schema });
    expect(record?.publishedAt.toDate()).toEqual(new Date('2026-07-01T12:00:00.123Z'));
    expect(
      await stack.query('app', `SELECT nspname FROM pg_namespace WHERE nspname = '${schema}'`),
    ).toHaveLength(1);
  });

  it('refuses what Pub/Sub did not wrap, so that a wrong subscription shows', async () => {
    const { docs } = await stack.db.collection('operations').get();
    const binary = Object.fromEntries(Object.entries(event).map(([name, value]) => [`ce-${name}`, value]));
    expect(await post('/', { ...json, ...binary }, { target: target('app'), schema: 'bare' })).toBe(500);
    expect((await stack.db.collection('operations').get()).size).toBe(docs.length);
    expect(stack.logs.get('create-schema')?.join('\n')).toContain('NOT_A_MESSAGE');
  });
});
