import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { cloudEvent } from '@google-cloud/functions-framework';
import { getTestServer } from '@google-cloud/functions-framework/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Delivery, readDelivery } from '../../../shared/operation/delivery.ts';

const message = {
  data: Buffer.from('{"a":"ü"}').toString('base64'),
  attributes: { 'operation-id': 'one' },
  messageId: '7',
  publishTime: '2026-03-01T10:00:00.123456Z',
};

const delivery: Delivery = {
  data: Buffer.from('{"a":"ü"}'),
  attributes: { 'operation-id': 'one' },
  messageId: '7',
  publishTime: new Date('2026-03-01T10:00:00.123Z'),
};

const subscription = 'projects/p/subscriptions/create-schema';

describe('under the Functions Framework', () => {
  const name = 'read-delivery';
  let seen: unknown;
  cloudEvent(name, (event: unknown) => {
    seen = event;
  });
  const server = getTestServer(name);
  let url: string;

  beforeAll(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/projects/p/topics/create-schema`;
  });
  afterAll(() => server.close());

  const post = async (body: unknown, headers: Record<string, string> = {}) => {
    const answer = await fetch(url, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json', ...headers },
    });
    expect(answer.ok).toBe(true);
    return readDelivery(seen);
  };

  const eventarc = {
    'ce-specversion': '1.0',
    'ce-id': '7',
    'ce-type': 'google.cloud.pubsub.topic.v1.messagePublished',
    'ce-source': '//pubsub.googleapis.com/projects/p/topics/create-schema',
  };

  it('reads a push', async () => {
    expect(await post({ message, subscription })).toEqual(delivery);
  });

  it('reads what Eventarc sends', async () => {
    expect(await post({ message, subscription }, eventarc)).toEqual(delivery);
  });

  it('reads a push of a message without data', async () => {
    const { data: _, ...rest } = message;
    expect(await post({ message: rest, subscription })).toEqual({ ...delivery, data: Buffer.alloc(0) });
  });

  it('reads what Eventarc sends of a message without data', async () => {
    const { data: _, ...rest } = message;
    expect(await post({ message: rest, subscription }, eventarc)).toEqual({
      ...delivery,
      data: Buffer.alloc(0),
    });
  });

  it('reads a push without attributes', async () => {
    const { attributes: _, ...rest } = message;
    expect(await post({ message: rest, subscription })).toEqual({ ...delivery, attributes: {} });
  });
});

describe('what Pub/Sub did not wrap', () => {
  it.each([
    ['nothing', undefined],
    ['null', null],
    ['text', 'hello'],
    ['a list', [message]],
    ['an unwrapped payload', { data: { target: {}, schema: 'billing' } }],
    ['a message without an id', { message: { ...message, messageId: undefined } }],
    ['an empty id', { message: { ...message, messageId: '' } }],
    ['a message without a time', { message: { ...message, publishTime: undefined } }],
    ['a time that is null', { message: { ...message, publishTime: null } }],
    ['a time that is none', { data: { message: { ...message, publishTime: 'yesterday' } } }],
    ['an attribute that is no text', { message: { ...message, attributes: { revision: 7 } } }],
    ['data that is no text', { data: { message: { ...message, data: { a: 1 } } } }],
  ])('is refused as NOT_A_MESSAGE: %s', (_, event) => {
    expect(() => readDelivery(event)).toThrow(
      expect.objectContaining({ code: 'NOT_A_MESSAGE', retryable: false }),
    );
  });
});
