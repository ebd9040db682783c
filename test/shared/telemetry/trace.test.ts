import { context, trace } from '@opentelemetry/api';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { OperationError } from '../../../shared/operation/errors.ts';
import { continueTrace, inSpan } from '../../../shared/telemetry/trace.ts';
import { nothing, operation, push, useWorker } from '../operation/worker.ts';
import { recordSpans } from './spans.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const publisher = 'b7ad6b7169203331';
const traceparent = `00-${traceId}-${publisher}-01`;

const spans = recordSpans();
useWorker();

beforeEach(() => {
  spans.length = 0;
});
afterAll(() => {
  trace.disable();
  context.disable();
});

describe('the spans of a delivery', () => {
  it('are its steps in order, within the trace that the publisher began', async () => {
    let inside: string | undefined;
    await operation(async () => {
      inside = trace.getActiveSpan()?.spanContext().spanId;
      return nothing;
    })(push('one', {}, { traceparent }));

    expect(spans.map(({ name }) => name)).toEqual([
      'drover.deliver',
      'drover.claim',
      'drover.run',
      'drover.complete',
      'drover.report',
    ]);
    const [deliver, ...steps] = spans;
    expect(deliver).toMatchObject({
      parent: publisher,
      attributes: { 'drover.function': 'paint', 'drover.operation': 'one' },
    });
    expect(steps.map(({ parent }) => parent)).toEqual(steps.map(() => deliver?.spanId));
    expect(spans.every((span) => span.traceId === traceId && span.ended && !span.failed)).toBe(true);
    expect(inside).toBe(spans[2]?.spanId);
    expect(spans[2]?.attributes).toEqual({ 'drover.attempt': 1 });
  });

  it('begin a trace of their own where the publisher began none', async () => {
    await operation(async () => nothing)(push('one', {}, { traceparent: 'rubbish' }));
    expect(spans[0]).toMatchObject({ name: 'drover.deliver', parent: undefined });
  });

  it('are failed and ended where the message has to come again', async () => {
    const lock = new OperationError('LOCK_TIMEOUT', 'a lock', { retryable: true });
    const delivered = operation(async () => {
      throw lock;
    })(push('one'));
    await expect(delivered).rejects.toThrow('LOCK_TIMEOUT');
    expect(spans.map(({ name, failed, ended }) => [name, failed, ended])).toEqual([
      ['drover.deliver', true, true],
      ['drover.claim', false, true],
      ['drover.run', true, true],
    ]);
    expect(spans[2]?.exceptions).toEqual([lock]);
  });
});

describe('a span', () => {
  it('gives back what the work does, and is there while it works', async () => {
    const found = await inSpan('one', {}, async (span) => [span, trace.getActiveSpan()]);
    expect(found[0]).toBe(found[1]);
    expect(trace.getActiveSpan()).toBeUndefined();
  });

  it('is the child of the one around it, also among others at the same time', async () => {
    await inSpan('outer', {}, async () => {
      await Promise.all([
        inSpan('left', {}, async () => undefined),
        inSpan('right', {}, async () => undefined),
      ]);
    });
    const [outer, left, right] = spans;
    expect([left?.parent, right?.parent]).toEqual([outer?.spanId, outer?.spanId]);
  });

  it('goes on with a trace only where there is one', async () => {
    await continueTrace(traceparent, () => inSpan('one', {}, async () => undefined));
    await continueTrace(undefined, () => inSpan('two', {}, async () => undefined));
    expect(spans.map(({ parent }) => parent)).toEqual([publisher, undefined]);
  });
});
