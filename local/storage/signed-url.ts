import { createHash, verify } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type Micros, minute, second } from '../clock.ts';
import { accessDenied, malformedSecurityHeader, XmlError, xmlNotImplemented } from './xml-error.ts';

const algorithm = 'GOOG4-RSA-SHA256';
const signature = 'X-Goog-Signature';
const unsignedPayload = 'UNSIGNED-PAYLOAD';
/** In seconds. */
const longestLife = 7 * 24 * 60 * 60;

/**
 * Checks that a request is what somebody signed, and that its time hasn't passed.
 *
 * @param signers public keys in PEM by the service accounts' addresses
 * @throws XmlError 403, 400 where it has expired or can't be read, 501 where it is signed in another way
 * @see https://cloud.google.com/storage/docs/authentication/signatures
 */
export function verifySignedUrl(
  request: IncomingMessage,
  url: URL,
  signers: Readonly<Record<string, string>>,
  now: Micros,
): void {
  const { searchParams: query } = url;
  if (query.has('GoogleAccessId')) throw xmlNotImplemented('a signature of version 2');
  if (!query.has(signature) || request.headers.authorization !== undefined) {
    throw accessDenied(
      'Anonymous caller does not have storage.objects access to the Google Cloud Storage object.',
    );
  }
  if (query.get('X-Goog-Algorithm') !== algorithm) {
    throw xmlNotImplemented(`the algorithm ${query.get('X-Goog-Algorithm')}`);
  }
  const [email = '', scope = ''] = split(query.get('X-Goog-Credential') ?? '');
  const date = query.get('X-Goog-Date') ?? '';
  requireTime(date, Number(query.get('X-Goog-Expires') ?? Number.NaN), now);
  if (!/^\d{8}\/[^/]+\/storage\/goog4_request$/.test(scope) || !date.startsWith(scope.slice(0, 8))) {
    throw malformedSecurityHeader('Invalid credential scope in X-Goog-Credential.');
  }
  const canonical = canonicalRequest(request, url);
  const text = [algorithm, date, scope, createHash('sha256').update(canonical).digest('hex')].join('\n');
  const key = signers[email];
  const given = Buffer.from(query.get(signature) ?? '', 'hex');
  if (key !== undefined && verify('sha256', Buffer.from(text), key, given)) return;
  const message = 'Access denied.';
  throw new XmlError(403, 'SignatureDoesNotMatch', message, `The request signature we calculated: ${text}`);
}

/** An address can't have a slash. */
function split(credential: string): [email: string, scope: string] {
  const at = credential.indexOf('/');
  return [credential.slice(0, at), credential.slice(at + 1)];
}

function requireTime(date: string, life: number, now: Micros): void {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date)?.slice(1).map(Number);
  if (parts === undefined) throw malformedSecurityHeader('Invalid X-Goog-Date.');
  if (!(life > 0 && life <= longestLife)) throw malformedSecurityHeader('Invalid X-Goog-Expires.');
  const [year = 0, month = 1, ...rest] = parts;
  const signed = Date.UTC(year, month - 1, ...rest) * 1000;
  const end = signed + life * second;
  if (signed > now + 15 * minute) throw accessDenied(`Request is not valid before ${date}.`);
  if (end >= now) return;
  const expired = new Date(end / 1000).toISOString();
  throw new XmlError(
    400,
    'ExpiredToken',
    'The provided token has expired.',
    `Request signature expired at: ${expired}`,
  );
}

/** @see https://cloud.google.com/storage/docs/authentication/canonical-requests */
function canonicalRequest({ method = '', headers }: IncomingMessage, url: URL): string {
  const names = (url.searchParams.get('X-Goog-SignedHeaders') ?? '').split(';');
  if (!names.includes('host')) throw malformedSecurityHeader('The header host has to be signed.');
  const unsigned = Object.keys(headers).find((name) => name.startsWith('x-goog-') && !names.includes(name));
  if (unsigned !== undefined) throw malformedSecurityHeader(`The header ${unsigned} has to be signed.`);
  const lines = names.map((name) => {
    const value = headers[name];
    if (value === undefined) {
      throw malformedSecurityHeader(`Header was included in signedheaders, but not in the request: ${name}`);
    }
    return `${name}:${canonicalValue(name, String(value))}\n`;
  });
  const query = [...url.searchParams]
    .filter(([name]) => name !== signature)
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map((pair) => pair.join('='));
  const payload = headers['x-goog-content-sha256'] ?? unsignedPayload;
  if (payload !== unsignedPayload) throw xmlNotImplemented('a signed payload');
  return [method, url.pathname, query.join('&'), lines.join(''), names.join(';'), payload].join('\n');
}

/** The official client signs the host without its port, which Google's own has none of. */
function canonicalValue(name: string, value: string): string {
  const bare = name === 'host' ? value.replace(/:\d+$/, '') : value;
  return bare.trim().replace(/\s{2,}/g, ' ');
}

/** Percent-encodes all that RFC 3986 doesn't call unreserved. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
