import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  GitHubRateLimited,
  rateLimitedUntil,
  refused,
  wordsIn,
} from '../../../../functions/sync-repo-metadata/source/github-errors.ts';

const now = new Date('2026-03-01T12:00:00Z');
const inSeconds = (seconds: number) => new Date(now.getTime() + seconds * 1000);

function refusal(status: number, headers: Record<string, string> = {}, words = '') {
  return { status, headers: new Headers(headers), words };
}

describe('a rate limit', () => {
  it.each([
    ['retry-after in seconds', 429, { 'retry-after': '120' }, '', 120],
    ['retry-after as a date', 403, { 'retry-after': 'Sun, 01 Mar 2026 12:05:00 GMT' }, '', 300],
    [
      'no more requests until the reset',
      403,
      { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(inSeconds(600).getTime() / 1000) },
      '',
      600,
    ],
    [
      'retry-after before the reset',
      403,
      {
        'retry-after': '30',
        'x-ratelimit-remaining': '0',
        'x-ratelimit-reset': String(inSeconds(600).getTime() / 1000),
      },
      '',
      30,
    ],
    [
      'the reset of a limit that isn’t the one that was reached',
      429,
      { 'x-ratelimit-remaining': '4000', 'x-ratelimit-reset': String(inSeconds(600).getTime() / 1000) },
      '',
      60,
    ],
    ['words alone', 403, {}, 'You have exceeded a secondary rate limit.', 60],
    ['nothing but its status', 429, {}, '', 60],
    ['a reset that has passed', 403, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '5' }, '', 1],
    ['no time that can be read', 429, { 'retry-after': 'soon' }, '', 60],
    ['more than an hour', 429, { 'retry-after': '999999' }, '', 3600],
  ])('that says %s ends in time', (_, status, headers, words, seconds) => {
    const given = refusal(status, headers as Record<string, string>, words);
    expect(rateLimitedUntil(given, now)).toEqual(inSeconds(seconds));
    expect(refused(given, 'acme/docs', true, now)).toEqual(new GitHubRateLimited(inSeconds(seconds)));
  });

  it('is none where access is refused, or another status has the headers of one', () => {
    expect(
      rateLimitedUntil(refusal(403, { 'x-ratelimit-remaining': '41' }, 'Must have admin rights'), now),
    ).toBeUndefined();
    expect(rateLimitedUntil(refusal(404, { 'x-ratelimit-remaining': '0' }), now)).toBeUndefined();
    expect(rateLimitedUntil(refusal(503, { 'retry-after': '10' }), now)).toBeUndefined();
  });

  it('ends within a second and an hour, whatever the headers say', () => {
    const text = fc.oneof(
      fc.integer().map(String),
      fc.double().map(String),
      fc.date().map(String),
      fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)) }),
    );
    const headers = fc.record(
      { 'retry-after': text, 'x-ratelimit-remaining': fc.constantFrom('0', '1'), 'x-ratelimit-reset': text },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(headers, fc.constantFrom(403, 429), (given, status) => {
        const until = rateLimitedUntil(refusal(status, given as Record<string, string>), now);
        if (until === undefined) {
          expect(status).toBe(403);
          return;
        }
        expect(until.getTime()).toBeGreaterThanOrEqual(inSeconds(1).getTime());
        expect(until.getTime()).toBeLessThanOrEqual(inSeconds(3600).getTime());
      }),
    );
  });
});

describe('a refusal', () => {
  it.each([
    [400, 'GITHUB_REFUSED', false],
    [401, 'GITHUB_TOKEN_REFUSED', false],
    [403, 'GITHUB_FORBIDDEN', false],
    [408, 'GITHUB_UNAVAILABLE', true],
    [410, 'GITHUB_REFUSED', false],
    [451, 'REPOSITORY_BLOCKED', false],
    [500, 'GITHUB_UNAVAILABLE', true],
    [503, 'GITHUB_UNAVAILABLE', true],
    [302, 'GITHUB_UNAVAILABLE', true],
  ])('with status %i is %s, retryable: %j', (status, code, retryable) => {
    expect(refused(refusal(status, {}, 'So it is'), 'acme/docs', true, now)).toMatchObject({
      code,
      retryable,
      message: expect.stringMatching(/acme\/docs.*So it is/s),
      details: { status },
    });
  });

  it('of nobody in particular asks for a token, where there was none', () => {
    expect(refused(refusal(401), 'acme/docs', false, now).message).toContain('name the secret of one');
    expect(refused(refusal(401), 'acme/docs', true, now).message).toContain('has expired or was revoked');
  });
});

it('GitHub’s own words are taken from its JSON, cut short, and from nothing else', () => {
  expect(wordsIn('{"message":"Bad credentials","status":"401"}')).toBe('Bad credentials');
  expect(wordsIn(JSON.stringify({ message: 'x'.repeat(9000) }))).toHaveLength(300);
  expect(wordsIn('<html>')).toBe('');
  expect(wordsIn('{"message":5}')).toBe('');
  expect(wordsIn('[]')).toBe('');
});
