import { describe, expect, it } from 'vitest';
import { ingestObjectMessage } from '../../../functions/ingest-object/message.ts';
import { adaptNotification } from '../../../functions/ingest-object/notification.ts';

const attributes = {
  notificationConfig: 'projects/_/buckets/uploads/notificationConfigs/1',
  eventType: 'OBJECT_FINALIZE',
  payloadFormat: 'JSON_API_V1',
  bucketId: 'uploads',
  objectId: 'photos/alice/original/a.jpg',
  objectGeneration: '1770000000000000',
  eventTime: '2026-02-02T02:40:00.123456Z',
};

const payload = (metageneration: string) => Buffer.from(JSON.stringify({ name: 'x', metageneration }));

type Given = Readonly<Record<string, string>>;

function adapted(given: Given, data = payload('1')) {
  const made = adaptNotification({ attributes: given, data });
  if (made === undefined || 'ignore' in made) throw new Error('it is no message');
  return { message: JSON.parse(made.data.toString()) as unknown, attributes: made.attributes };
}

const idOf = (given: Given = attributes, data = payload('1')) =>
  adapted(given, data).attributes['operation-id'];

describe('a notification of Cloud Storage', () => {
  it('is a message, dated as the event was', () => {
    const { message, attributes: own } = adapted(attributes);
    expect(message).toEqual({
      event: 'OBJECT_FINALIZE',
      bucket: 'uploads',
      object: 'photos/alice/original/a.jpg',
      generation: '1770000000000000',
    });
    expect(ingestObjectMessage.safeParse(message).success).toBe(true);
    expect(own).toEqual({
      'operation-id': expect.stringMatching(/^object-[0-9a-f]{40}$/),
      'original-publish-time': '2026-02-02T02:40:00.123456Z',
    });
  });

  it('has the same id whenever and by whomever it is told', () => {
    expect(idOf({ ...attributes, notificationConfig: 'another', eventTime: 'x' })).toBe(idOf());
  });

  it.each([
    ['event', { ...attributes, eventType: 'OBJECT_DELETE' }, '1'],
    ['bucket', { ...attributes, bucketId: 'others' }, '1'],
    ['object', { ...attributes, objectId: 'photos/alice/original/b.jpg' }, '1'],
    ['generation', { ...attributes, objectGeneration: '1770000000000001' }, '1'],
    ['metageneration', attributes, '2'],
  ])('has another id for another %s', (_, given, metageneration) => {
    expect(idOf(given, payload(metageneration))).not.toBe(idOf());
  });

  it('does without a payload, and whatever it is', () => {
    const ids = ['', 'rubbish', '[]', '{"metageneration":1}'].map((text) =>
      idOf(attributes, Buffer.from(text)),
    );
    expect(new Set(ids).size).toBe(1);
  });

  it('keeps what a relay says in the contract’s words, but not another id or time', () => {
    const { attributes: own } = adapted({
      ...attributes,
      'dry-run': 'true',
      traceparent: 't',
      'operation-id': 'x',
    });
    expect(own).toMatchObject({ 'dry-run': 'true', traceparent: 't', 'operation-id': idOf() });
  });

  it('of something without sense is a message that is refused, with what is wrong', () => {
    const { message } = adapted({ ...attributes, objectGeneration: 'x', bucketId: '!' });
    const paths = ingestObjectMessage.safeParse(message).error?.issues.map(({ path }) => path.join('.'));
    expect(paths).toEqual(['bucket', 'generation']);
  });

  it.each(['OBJECT_METADATA_UPDATE', 'OBJECT_SOMETHING'])('of %s asks for nothing', (eventType) => {
    expect(adaptNotification({ attributes: { ...attributes, eventType }, data: payload('2') })).toEqual({
      ignore: expect.stringContaining(eventType),
    });
  });

  it.each(['previews/photos/alice/x.jpg', 'results/app/1.json', 'tenants/acme/previews/x'])(
    'of %s, which Drover wrote itself, asks for nothing',
    (objectId) => {
      expect(adaptNotification({ attributes: { ...attributes, objectId }, data: payload('1') })).toEqual({
        ignore: expect.stringContaining(objectId),
      });
    },
  );
});

it('what is no notification is left as it is', () => {
  const none = { attributes: { 'operation-id': 'x' }, data: Buffer.from('{}') };
  expect(adaptNotification(none)).toBeUndefined();
});
