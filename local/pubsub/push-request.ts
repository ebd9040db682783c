import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { PublishedMessage } from './message.ts';
import type { PushConfig } from './push-config.ts';
import { msToJson, second } from './time.ts';

export interface PushRequest {
  readonly headers: Record<string, string | number>;
  readonly body: Buffer | string;
}

const alwaysSent = {
  accept: 'application/json',
  from: 'noreply@google.com',
  'user-agent': 'APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)',
};

/**
 * What is posted to a push endpoint. Names come in camelCase and in snake_case, as the real service sends them;
 * empty fields are left out, as protobuf's JSON form does.
 *
 * @param subscription full name
 * @param deliveryAttempt undefined without a dead-letter policy
 * @see https://cloud.google.com/pubsub/docs/push#receive_push
 */
export function wrappedRequest(
  message: PublishedMessage,
  subscription: string,
  deliveryAttempt: number | undefined,
): PushRequest {
  const publishTime = msToJson(message.publishTime);
  const body = JSON.stringify({
    ...(deliveryAttempt !== undefined && { deliveryAttempt }),
    message: {
      ...(Object.keys(message.attributes).length > 0 && { attributes: message.attributes }),
      ...(message.data.length > 0 && { data: message.data.toString('base64') }),
      messageId: message.messageId,
      message_id: message.messageId,
      ...(message.orderingKey !== '' && { orderingKey: message.orderingKey }),
      publishTime,
      publish_time: publishTime,
    },
    subscription,
  });
  return {
    headers: {
      ...alwaysSent,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    },
    body,
  };
}

/**
 * The request of a subscription without a wrapper: the data as it is; with `write_metadata`, attributes and
 * metadata as headers. Attributes that can't be headers are left out.
 *
 * @see https://cloud.google.com/pubsub/docs/payload-unwrapping
 */
export function unwrappedRequest(
  message: PublishedMessage,
  subscription: string,
  deliveryAttempt: number | undefined,
  writeMetadata: boolean,
): PushRequest {
  const metadata: [string, string][] = writeMetadata
    ? [
        ...Object.entries(message.attributes).filter(isHeader),
        ['x-goog-pubsub-subscription-name', subscription],
        ['x-goog-pubsub-message-id', message.messageId],
        ['x-goog-pubsub-publish-time', msToJson(message.publishTime)],
        ...(message.orderingKey === ''
          ? []
          : [['x-goog-pubsub-ordering-key', message.orderingKey] as [string, string]]),
        ...(deliveryAttempt === undefined
          ? []
          : [['x-goog-pubsub-delivery-attempt', String(deliveryAttempt)] as [string, string]]),
      ]
    : [];
  const lowerCase = metadata.map(([name, value]) => [name.toLowerCase(), value]);
  return {
    headers: {
      ...Object.fromEntries(lowerCase),
      ...alwaysSent,
      'content-length': message.data.length,
    },
    body: message.data,
  };
}

/**
 * An OpenID Connect token with the claims of the real one. It is not signed: no endpoint can mistake it for Google's.
 *
 * @param now milliseconds since the epoch
 * @see https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions#jwt_format
 */
export function unsignedToken(config: PushConfig, now: number): string {
  const email = config.oidcToken?.serviceAccountEmail ?? '';
  const issuedAt = Math.floor(now / second);
  const claims = {
    aud: config.oidcToken?.audience || config.endpoint,
    azp: email,
    email,
    email_verified: true,
    exp: issuedAt + 3600,
    iat: issuedAt,
    iss: 'https://accounts.google.com',
    sub: email,
  };
  return `${encode({ alg: 'none', typ: 'JWT' })}.${encode(claims)}.`;
}

/** Whether the endpoint took the message: https://cloud.google.com/pubsub/docs/push#receive_push */
export function isAcknowledgement(statusCode: number): boolean {
  return [102, 200, 201, 202, 204].includes(statusCode);
}

function isHeader([name, value]: [string, string]): boolean {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return !['content-length', 'host', 'transfer-encoding', 'connection'].includes(name.toLowerCase());
  } catch {
    return false;
  }
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}
