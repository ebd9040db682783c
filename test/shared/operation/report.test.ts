import { Timestamp } from '@google-cloud/firestore';
import { beforeAll, describe, expect, it } from 'vitest';
import { resultEvent } from '../../../shared/operation/report.ts';
import type { OperationRecord } from '../../../shared/registry/operations.ts';

const time = (text: string) => Timestamp.fromDate(new Date(text));

const record: OperationRecord = {
  function: 'create-schema',
  operationId: 'deploy-42',
  dryRun: false,
  messageHash: 'abc',
  messageId: '7',
  publishedAt: time('2026-03-01T10:00:00Z'),
  target: 'acme:europe-west1:main/app',
  state: 'succeeded',
  epoch: 2,
  owner: 'nonce',
  leaseSeconds: 60,
  renewedAt: time('2026-03-01T10:00:01Z'),
  createdAt: time('2026-03-01T10:00:01Z'),
  startedAt: time('2026-03-01T10:00:01Z'),
  finishedAt: time('2026-03-01T10:00:02.345Z'),
  durationMs: 1345,
  changes: [{ action: 'create', kind: 'schema', name: 'app.billing' }],
  notes: [],
  reported: false,
  deadLettered: false,
};

beforeAll(() => {
  process.env['GOOGLE_CLOUD_PROJECT'] = 'acme';
});

describe('a result event', () => {
  it('has the attributes that CloudEvents 1.0 requires, and those that help', () => {
    expect(resultEvent('cafe', record)).toMatchObject({
      specversion: '1.0',
      id: 'cafe.2.succeeded',
      source: '//drover/projects/acme/functions/create-schema',
      type: 'drover.operation.succeeded',
      subject: 'deploy-42',
      time: '2026-03-01T10:00:02.345Z',
      datacontenttype: 'application/json',
    });
  });

  it('says all about the operation', () => {
    expect(resultEvent('cafe', record).data).toEqual({
      operation: 'cafe',
      operationId: 'deploy-42',
      function: 'create-schema',
      state: 'succeeded',
      dryRun: false,
      target: 'acme:europe-west1:main/app',
      claimedActor: null,
      tenant: null,
      attempt: 2,
      publishedAt: '2026-03-01T10:00:00.000Z',
      finishedAt: '2026-03-01T10:00:02.345Z',
      durationMs: 1345,
      changes: record.changes,
      notes: [],
      summary: null,
      result: null,
      partial: false,
      truncated: false,
      error: null,
      reason: null,
    });
  });

  it('is the same however often it is made', () => {
    expect(resultEvent('cafe', record)).toEqual(resultEvent('cafe', record));
  });

  it('has another id for another operation, another attempt and another end', () => {
    const ids = [
      resultEvent('cafe', record),
      resultEvent('beef', record),
      resultEvent('cafe', { ...record, epoch: 3 }),
      resultEvent('cafe', { ...record, state: 'failed' }),
      resultEvent('cafe', { ...record, state: 'planned' }),
    ].map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('has the type of the end', () => {
    expect(resultEvent('cafe', { ...record, state: 'failed', reason: 'permanent' })).toMatchObject({
      type: 'drover.operation.failed',
      data: { state: 'failed', reason: 'permanent' },
    });
  });

  it('is the same of a record just written, whose times are dates, as of one that was read', () => {
    const written = {
      ...record,
      publishedAt: record.publishedAt.toDate(),
      finishedAt: record.finishedAt?.toDate(),
    } as unknown as OperationRecord;
    expect(resultEvent('cafe', written)).toEqual(resultEvent('cafe', record));
  });

  it('shows no secret of an error', () => {
    const error = {
      code: 'UNAVAILABLE',
      message: 'postgres://u:hunter2@h/d',
      details: { password: 'hunter2', why: 'it is down' },
    };
    const event = resultEvent('cafe', { ...record, state: 'failed', error });
    expect(JSON.stringify(event)).not.toContain('hunter2');
    expect(event.data.error).toMatchObject({ code: 'UNAVAILABLE', details: { why: 'it is down' } });
  });

  it('can’t be made of an operation that has not ended', () => {
    const { finishedAt: _, ...unended } = record;
    expect(() => resultEvent('cafe', unended)).toThrow('has no time of its end');
  });
});
