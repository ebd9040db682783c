import { context, type Span, SpanStatusCode, trace } from '@opentelemetry/api';
import { parseTraceparent } from './log.ts';

const tracer = trace.getTracer('drover');

/**
 * Runs `work` in a span, a child of the current one. Where no OpenTelemetry SDK is registered the API's own no-op
 * spans are used, which cost next to nothing.
 */
export function inSpan<T>(
  name: string,
  attributes: Record<string, string | number | boolean>,
  work: (span: Span) => Promise<T>,
): Promise<T> {
  return tracer.startActiveSpan(name, { attributes }, async (span) => {
    try {
      return await work(span);
    } catch (error) {
      span.recordException(error instanceof Error ? error : String(error));
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      span.end();
    }
  });
}

/** Runs `work` as part of the trace that a message's publisher began. */
export function continueTrace<T>(traceparent: string | undefined, work: () => T): T {
  const parent = parseTraceparent(traceparent);
  if (parent === undefined) return work();
  return context.with(trace.setSpanContext(context.active(), { ...parent, isRemote: true }), work);
}
