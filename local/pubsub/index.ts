import { status } from '@grpc/grpc-js';
import { clientProtos } from '../grpc/client-protos.ts';
import { GrpcError, type Interceptor, startGrpcServer } from '../grpc/server.ts';
import { publisherService } from './publisher-service.ts';
import { PushClient } from './push-client.ts';
import { Resources } from './resources.ts';
import { subscriberService } from './subscriber-service.ts';
import type { Faults } from './subscription-queue.ts';

export interface LocalPubSub {
  /** `127.0.0.1:port`, for PUBSUB_EMULATOR_HOST. */
  readonly host: string;
  /**
   * Fault injection, assignable at any time. Besides unary gRPC methods it sees StreamingPull (`before`: the
   * initial request) and every push, as method `Push` with the request `{ subscription, endpoint, message,
   * deliveryAttempt }`: `before` = about to post (throwing fails the delivery), `after` = the answer, with its
   * `statusCode`, has arrived but is not applied (throwing makes it count as not acknowledged).
   */
  intercept: Interceptor | undefined;
  readonly faults: Faults;
  /** Resolves when no push subscription has messages waiting, outstanding or backing off. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Starts an in-memory Pub/Sub for the official clients on loopback.
 *
 * @param options.port default: any free one
 * @param options.maxOutstandingPushes requests under way at a time per push subscription, default 64
 * @see https://cloud.google.com/pubsub/docs/reference/rpc/google.pubsub.v1
 */
export async function startPubSub(
  options: { port?: number; maxOutstandingPushes?: number } = {},
): Promise<LocalPubSub> {
  let interceptor: Interceptor | undefined;
  const intercept = () => interceptor;
  const faults: Faults = { duplicateProbability: 0, reorder: false, random: Math.random };
  const client = new PushClient();
  const maxOutstanding = options.maxOutstandingPushes ?? 64;
  const resources = new Resources(faults, { client, maxOutstanding, intercept });
  const server = await startGrpcServer({
    protoJson: clientProtos('@google-cloud/pubsub'),
    services: {
      'google.pubsub.v1.Publisher': publisherService(resources),
      'google.pubsub.v1.Subscriber': subscriberService(resources, intercept),
      'google.pubsub.v1.SchemaService': {},
    },
    port: options.port ?? 0,
    intercept,
  });
  return {
    host: `127.0.0.1:${server.port}`,
    get intercept() {
      return interceptor;
    },
    set intercept(given) {
      interceptor = given;
    },
    faults,
    idle: () => resources.idle(),
    async close() {
      resources.close(new GrpcError(status.UNAVAILABLE, 'The server is shutting down.'));
      client.close();
      await server.close();
    },
  };
}
