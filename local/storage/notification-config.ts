import { notImplemented } from '../http/api-error.ts';
import { isObject, type JsonObject } from '../http/json.ts';
import { invalid, required } from './errors.ts';

export type EventType = (typeof eventTypes)[number];

/** Which events of a bucket a topic is told. */
export interface NotificationConfig {
  readonly id: string;
  /** `projects/PROJECT/topics/TOPIC` */
  readonly topic: string;
  readonly payloadFormat: 'JSON_API_V1' | 'NONE';
  /** All of them where there are none. */
  readonly eventTypes: readonly EventType[];
  readonly objectNamePrefix: string;
  readonly customAttributes: Readonly<Record<string, string>>;
}

const eventTypes = ['OBJECT_FINALIZE', 'OBJECT_METADATA_UPDATE', 'OBJECT_DELETE', 'OBJECT_ARCHIVE'] as const;

const host = '//pubsub.googleapis.com/';

/**
 * @param body as the API has it, with underscores
 * @throws ApiError 400, 501 for a field that isn't supported
 * @see https://cloud.google.com/storage/docs/json_api/v1/notifications
 */
export function readNotificationConfig(body: JsonObject, id: string): NotificationConfig {
  const { topic, payload_format, event_types, object_name_prefix, custom_attributes, ...others } = body;
  const [other] = Object.keys(others).filter((field) => !['kind', 'id', 'selfLink', 'etag'].includes(field));
  if (other !== undefined) throw notImplemented(`the field ${other} of a notification config`);
  return {
    id,
    topic: topicOf(topic),
    payloadFormat: payloadFormatOf(payload_format),
    eventTypes: eventTypesOf(event_types),
    objectNamePrefix: typeof object_name_prefix === 'string' ? object_name_prefix : '',
    customAttributes: attributesOf(custom_attributes),
  };
}

/** As the API shows it. */
export function toNotificationResource(
  config: NotificationConfig,
  bucket: string,
  url: string,
): Record<string, unknown> {
  const { id, topic, payloadFormat, objectNamePrefix, customAttributes } = config;
  return {
    kind: 'storage#notification',
    selfLink: `${url}/storage/v1/b/${bucket}/notificationConfigs/${id}`,
    id,
    topic: `${host}${topic}`,
    payload_format: payloadFormat,
    ...(config.eventTypes.length > 0 && { event_types: config.eventTypes }),
    ...(objectNamePrefix !== '' && { object_name_prefix: objectNamePrefix }),
    ...(Object.keys(customAttributes).length > 0 && { custom_attributes: customAttributes }),
    etag: id,
  };
}

function topicOf(value: unknown): string {
  if (typeof value !== 'string' || value === '') throw required('topic');
  const name = value.startsWith(host) ? value.slice(host.length) : '';
  if (/^projects\/[^/]+\/topics\/[^/]+$/.test(name)) return name;
  throw invalid(`Invalid Google Cloud Pub/Sub topic: ${value}`);
}

function payloadFormatOf(value: unknown): NotificationConfig['payloadFormat'] {
  if (value === undefined) throw required('payload_format');
  if (value === 'JSON_API_V1' || value === 'NONE') return value;
  throw invalid(`Invalid payload format: ${value}`);
}

function eventTypesOf(value: unknown): EventType[] {
  if (value === undefined) return [];
  const given: unknown[] = Array.isArray(value) ? value : [value];
  const known = given.filter((type): type is EventType => eventTypes.some((one) => one === type));
  if (known.length < given.length) throw invalid(`Invalid event type: ${given}`);
  return known;
}

function attributesOf(value: unknown): Record<string, string> {
  if (value === undefined) return {};
  if (!isObject(value)) throw invalid('Invalid value for: custom_attributes');
  return Object.fromEntries(Object.entries(value).map(([key, text]) => [key, String(text)]));
}
