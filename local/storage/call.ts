import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { JsonObject } from '../http/json.ts';
import type { RoutedCall } from '../http/routes.ts';

/** A request. Parts of the path: `bucket`, `object`, `destinationBucket`, `destinationObject`, `notification`. */
export interface Call extends RoutedCall {
  /** Empty where a request has none, and of an upload, which reads its own. */
  readonly body: JsonObject;
  readonly request: IncomingMessage;
}

/** What a request is answered with. */
export interface Answer {
  /** Default: 200. */
  readonly status?: number;
  readonly headers?: OutgoingHttpHeaders;
  readonly json?: Record<string, unknown>;
  readonly content?: Readable;
}

/** @throws ApiError where a request is refused */
export type Handler = (call: Call) => Answer | Promise<Answer>;
