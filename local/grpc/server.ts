import { readFileSync } from 'node:fs';
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServiceDefinition,
  status,
  type UntypedHandleCall,
} from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';

/** A protobuf message as @grpc/proto-loader gives it: 64-bit integers and enums are strings, bytes Buffers. */
export type Message = Record<string, unknown>;

/** An answer that is not OK. The official clients turn it back into an error with this `code`. */
export class GrpcError extends Error {
  override name = 'GrpcError';
  readonly code: status;

  constructor(code: status, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * What a test can hold a call by: called before a request takes effect and after it did, but before the client
 * learns of it. Throwing a {@link GrpcError} makes the client see that error; a promise delays the call.
 */
export type Interceptor = (call: InterceptedCall) => void | Promise<void>;

export interface InterceptedCall {
  readonly method: string;
  readonly phase: 'before' | 'after';
  readonly request: Message;
}

/** `call` tells whether the client has gone (`cancelled`): a long wait should then end. */
export type UnaryHandler = (
  request: Message,
  call: ServerUnaryCall<Message, Message>,
) => Message | Promise<Message>;

/** The methods of one service that are served; every other method of its definition answers UNIMPLEMENTED. */
export interface ServiceHandlers {
  readonly unary?: Record<string, UnaryHandler>;
  readonly serverStream?: Record<string, (request: Message) => AsyncIterable<Message> | Iterable<Message>>;
  readonly bidirectional?: Record<string, (call: ServerDuplexStream<Message, Message>) => void>;
}

export interface GrpcServer {
  readonly port: number;
  close(): Promise<void>;
}

const maxMessageBytes = 64 * 1024 * 1024;

/**
 * Serves gRPC on loopback from the protobuf definitions that an official client ships.
 *
 * @param options.protoJson path of the client's `protos.json`
 * @param options.services handlers by full service name, such as `google.pubsub.v1.Publisher`
 * @param options.port 0 takes any free one
 */
export async function startGrpcServer(options: {
  protoJson: string;
  services: Record<string, ServiceHandlers>;
  port: number;
  intercept: () => Interceptor | undefined;
}): Promise<GrpcServer> {
  const definitions = fromJSON(JSON.parse(readFileSync(options.protoJson, 'utf8')), {
    longs: String,
    enums: String,
    oneofs: true,
    arrays: true,
  });
  const server = new Server({
    'grpc.max_receive_message_length': maxMessageBytes,
    'grpc.max_send_message_length': maxMessageBytes,
  });
  for (const [name, handlers] of Object.entries(options.services)) {
    const definition = definitions[name];
    if (definition === undefined || typeof definition['format'] === 'string') {
      throw new Error(`${options.protoJson} does not define the service ${name}`);
    }
    const service = definition as ServiceDefinition;
    server.addService(service, implement(service, handlers, options.intercept));
  }
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${options.port}`, ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return {
    port,
    close: async () => server.forceShutdown(),
  };
}

function implement(
  service: ServiceDefinition,
  handlers: ServiceHandlers,
  intercept: () => Interceptor | undefined,
): Record<string, UntypedHandleCall> {
  const implementation: Record<string, UntypedHandleCall> = {};
  for (const method of Object.keys(service)) {
    const unary = handlers.unary?.[method];
    const serverStream = handlers.serverStream?.[method];
    const bidirectional = handlers.bidirectional?.[method];
    if (unary) implementation[method] = serveUnary(method, unary, intercept);
    else if (serverStream) implementation[method] = serveStream(method, serverStream, intercept);
    else if (bidirectional) implementation[method] = bidirectional;
  }
  return implementation;
}

function serveUnary(
  method: string,
  handler: UnaryHandler,
  intercept: () => Interceptor | undefined,
): handleUnaryCall<Message, Message> {
  return async (call, callback) => {
    try {
      await intercept()?.({ method, phase: 'before', request: call.request });
      const response = await handler(call.request, call);
      await intercept()?.({ method, phase: 'after', request: call.request });
      callback(null, response);
    } catch (error) {
      callback(asStatus(error));
    }
  };
}

function serveStream(
  method: string,
  handler: (request: Message) => AsyncIterable<Message> | Iterable<Message>,
  intercept: () => Interceptor | undefined,
): handleServerStreamingCall<Message, Message> {
  return async (call) => {
    try {
      await intercept()?.({ method, phase: 'before', request: call.request });
      for await (const message of handler(call.request)) call.write(message);
      await intercept()?.({ method, phase: 'after', request: call.request });
      call.end();
    } catch (error) {
      // Headers first: the clients take an error without them for a broken connection and send twice more.
      call.sendMetadata(new Metadata());
      // Not destroy(): a destroyed stream never sends its status, and the client would wait for ever.
      call.emit('error', asStatus(error));
    }
  };
}

function asStatus(error: unknown): GrpcError & { details: string } {
  const known =
    error instanceof GrpcError
      ? error
      : new GrpcError(
          status.INTERNAL,
          error instanceof Error ? (error.stack ?? error.message) : String(error),
        );
  return Object.assign(known, { details: known.message });
}
