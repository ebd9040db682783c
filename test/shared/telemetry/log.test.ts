import { beforeAll, describe, expect, it } from 'vitest';
import { createLogger, parseTraceparent, type Severity, traceFields } from '../../../shared/telemetry/log.ts';

beforeAll(() => {
  process.env['GOOGLE_CLOUD_PROJECT'] = 'acme';
  process.env['DROVER_LOG_LEVEL'] = 'warning';
});

function recorded() {
  const lines: string[] = [];
  const log = createLogger({ function: 'create-schema' }, (line) => lines.push(line));
  return { lines, log };
}

describe('the log', () => {
  it('is one line of JSON per event, as Cloud Logging reads it', () => {
    const { lines, log } = recorded();
    log.log('ERROR', 'it\nbroke', { stack: 'a\nb', attempt: 2 });
    log.log('WARNING', 'again');
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/^[^\n]+\n$/);
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      severity: 'ERROR',
      message: 'it\nbroke',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      function: 'create-schema',
      stack: 'a\nb',
      attempt: 2,
    });
  });

  it.each<[Severity, number]>([
    ['DEBUG', 0],
    ['INFO', 0],
    ['WARNING', 1],
    ['ERROR', 1],
  ])('of the level "warning" has, of an entry of severity %s, %i lines', (severity, count) => {
    const { lines, log } = recorded();
    log.log(severity, 'it happened');
    expect(lines).toHaveLength(count);
  });

  it('has the fields of every logger that an entry came through', () => {
    const { lines, log } = recorded();
    log.with({ operation: 'one', attempt: 1 }).with({ attempt: 2 }).log('ERROR', 'x', { code: 'BUSY' });
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      function: 'create-schema',
      operation: 'one',
      attempt: 2,
      code: 'BUSY',
    });
  });

  it('shows no secret, in messages and in fields', () => {
    const { lines, log } = recorded();
    const leaky = log.with({ url: 'postgres://a:hunter2@h/d' });
    leaky.log('ERROR', 'Bearer hunter2', { password: 'hunter2', error: new Error("PASSWORD 'hunter2'") });
    expect(lines).toHaveLength(1);
    expect(lines[0]).not.toContain('hunter2');
  });

  it('shows an error by its stack', () => {
    const { lines, log } = recorded();
    log.log('ERROR', 'crashed', { stack: new TypeError('no') });
    expect(JSON.parse(lines[0] ?? '').stack).toMatch(/^TypeError: no\n\s+at /);
  });
});

const traceId = '0af7651916cd43dd8448eb211c80319c';
const spanId = 'b7ad6b7169203331';

describe('a traceparent', () => {
  it('names trace and span', () => {
    expect(parseTraceparent(`00-${traceId}-${spanId}-01`)).toEqual({ traceId, spanId, traceFlags: 1 });
    expect(parseTraceparent(`00-${traceId}-${spanId}-00`)).toEqual({ traceId, spanId, traceFlags: 0 });
    expect(parseTraceparent(`00-${traceId}-${spanId}-ff`)?.traceFlags).toBe(255);
  });

  it.each([`cc-${traceId}-${spanId}-01`, `01-${traceId}-${spanId}-01-what-the-future-will-be-like`])(
    'of a future version is read as far as it is known: %s',
    (header) => {
      expect(parseTraceparent(header)).toEqual({ traceId, spanId, traceFlags: 1 });
    },
  );

  it.each([
    ['nothing', undefined],
    ['empty', ''],
    ['text', 'a trace'],
    ['a trace of zeros only', `00-${'0'.repeat(32)}-${spanId}-01`],
    ['a span of zeros only', `00-${traceId}-${'0'.repeat(16)}-01`],
    ['the version that can’t be', `ff-${traceId}-${spanId}-01`],
    ['upper case', `00-${traceId.toUpperCase()}-${spanId}-01`],
    ['no flags', `00-${traceId}-${spanId}`],
    ['a short trace', `00-${traceId.slice(1)}-${spanId}-01`],
    ['a long span', `00-${traceId}-${spanId}0-01`],
    ['another separator', `00_${traceId}_${spanId}_01`],
    ['more than version 00 has', `00-${traceId}-${spanId}-01-more`],
    ['more without a separator', `01-${traceId}-${spanId}-01more`],
    ['a second line', `00-${traceId}-${spanId}-01\n`],
    ['space around it', ` 00-${traceId}-${spanId}-01`],
  ])('is none: %s', (_, header) => {
    expect(parseTraceparent(header)).toBeUndefined();
    expect(traceFields(header)).toEqual({});
  });

  it('gives the fields by which Cloud Logging finds the trace', () => {
    expect(traceFields(`00-${traceId}-${spanId}-01`)).toEqual({
      'logging.googleapis.com/trace': `projects/acme/traces/${traceId}`,
      'logging.googleapis.com/spanId': spanId,
      'logging.googleapis.com/trace_sampled': true,
    });
    expect(traceFields(`00-${traceId}-${spanId}-02`)).toMatchObject({
      'logging.googleapis.com/trace_sampled': false,
    });
  });
});
