import type { Message } from '../grpc/server.ts';
import { invalidArgument, unimplemented } from './errors.ts';

/** How a push subscription delivers. */
export interface PushConfig {
  /** As it was given; a URL object would add a slash. */
  readonly endpoint: string;
  readonly url: URL;
  readonly attributes: Readonly<Record<string, string>>;
  readonly oidcToken: { readonly serviceAccountEmail: string; readonly audience: string } | undefined;
  /** Without a wrapper the body is the message's data. */
  readonly wrapped: boolean;
  readonly writeMetadata: boolean;
}

/**
 * Reads a google.pubsub.v1.PushConfig; one without an endpoint means pull.
 * Unlike the real service this one accepts `http:` too.
 */
export function parsePushConfig(given: unknown): PushConfig | undefined {
  const config = (given ?? {}) as Message;
  const endpoint = String(config['pushEndpoint'] ?? '');
  if (endpoint === '') return undefined;
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw invalidArgument(
      `Invalid push endpoint given (endpoint=${endpoint}). Refer to https://cloud.google.com/pubsub/docs/subscriber#create for more information.`,
    );
  }
  const attributes = (config['attributes'] ?? {}) as Record<string, string>;
  const version = attributes['x-goog-version'] ?? 'v1';
  if (version !== 'v1' && version !== 'v1beta2') throw unimplemented(`the push format ${version}`);
  const oidcToken = config['oidcToken'] as Message | undefined;
  const noWrapper = config['noWrapper'] as Message | undefined;
  return {
    endpoint,
    url,
    attributes: { ...attributes, 'x-goog-version': version },
    oidcToken: oidcToken && {
      serviceAccountEmail: String(oidcToken['serviceAccountEmail'] ?? ''),
      audience: String(oidcToken['audience'] ?? ''),
    },
    wrapped: noWrapper === undefined,
    writeMetadata: noWrapper?.['writeMetadata'] === true,
  };
}

/** The google.pubsub.v1.PushConfig that a client sees; empty for pull. */
export function toPushConfig(config: PushConfig | undefined): Message {
  if (config === undefined) return {};
  return {
    pushEndpoint: config.endpoint,
    attributes: config.attributes,
    ...(config.oidcToken && { oidcToken: { ...config.oidcToken } }),
    ...(!config.wrapped && { noWrapper: { writeMetadata: config.writeMetadata } }),
  };
}
