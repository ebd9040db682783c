import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type Attributes,
  type Context,
  type ContextManager,
  context,
  INVALID_SPAN_CONTEXT,
  ProxyTracerProvider,
  ROOT_CONTEXT,
  type Span,
  type SpanOptions,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';

export interface RecordedSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parent: string | undefined;
  readonly attributes: Attributes;
  readonly exceptions: unknown[];
  failed: boolean;
  ended: boolean;
}

/** Registers what keeps Drover's spans in memory, in the order in which they begin. */
export function recordSpans(): RecordedSpan[] {
  const spans: RecordedSpan[] = [];
  const active = new AsyncLocalStorage<Context>();
  const manager: ContextManager = {
    active: () => active.getStore() ?? ROOT_CONTEXT,
    with: (given, work, self, ...parameters) => active.run(given, () => work.call(self, ...parameters)),
    bind: (_, work) => work,
    enable: () => manager,
    disable: () => manager,
  };
  const startSpan = (name: string, options: SpanOptions = {}, within = context.active()): Span => {
    const parent = trace.getSpanContext(within);
    const recorded: RecordedSpan = {
      name,
      traceId: parent?.traceId ?? 'a'.repeat(32),
      spanId: String(spans.length + 1).padStart(16, '0'),
      parent: parent?.spanId,
      attributes: options.attributes ?? {},
      exceptions: [],
      failed: false,
      ended: false,
    };
    spans.push(recorded);
    const { traceId, spanId } = recorded;
    // What isn't asked for does nothing, as the API's own span does.
    return Object.assign(Object.create(trace.wrapSpanContext(INVALID_SPAN_CONTEXT)) as Span, {
      spanContext: () => ({ traceId, spanId, traceFlags: 1 }),
      recordException: (exception: unknown) => recorded.exceptions.push(exception),
      setStatus: ({ code }: { code: SpanStatusCode }) => {
        recorded.failed = code === SpanStatusCode.ERROR;
      },
      end: () => {
        recorded.ended = true;
      },
    });
  };
  const startActiveSpan = (name: string, options: SpanOptions, work: (span: Span) => unknown) => {
    const span = startSpan(name, options);
    return context.with(trace.setSpan(context.active(), span), () => work(span));
  };
  const tracer: Tracer = { startSpan, startActiveSpan: startActiveSpan as Tracer['startActiveSpan'] };
  // The clients of Google's services have spans of their own.
  const others = new ProxyTracerProvider();
  context.setGlobalContextManager(manager);
  trace.setGlobalTracerProvider({
    getTracer: (name) => (name === 'drover' ? tracer : others.getTracer(name)),
  });
  return spans;
}
