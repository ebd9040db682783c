import { notImplemented } from '../http/api-error.ts';
import { invalid, required } from './errors.ts';

/** @see https://cloud.google.com/storage/docs/buckets#naming */
export function requireBucketName(name: unknown): string {
  if (typeof name !== 'string' || name === '') throw required('name');
  const wellFormed = /^[a-z\d][-_.a-z\d]{1,220}[a-z\d]$/.test(name) && !/^\d+\.\d+\.\d+\.\d+$/.test(name);
  const tooLong = name.split('.').some((part) => part.length > 63 || part === '');
  if (!wellFormed || tooLong || /^goog|g[o0]{2}g[l1]e/.test(name)) {
    throw invalid(`Invalid bucket name: '${name}'`);
  }
  if (name.includes('.')) throw notImplemented('a bucket that is named by a domain');
  return name;
}

/** @see https://cloud.google.com/storage/docs/objects#naming */
export function requireObjectName(name: unknown): string {
  if (typeof name !== 'string' || name === '') throw required('name');
  if (Buffer.byteLength(name) > 1024) {
    throw invalid('The maximum object length is 1024 characters, but got a name with more characters.');
  }
  if (/[\r\n]/.test(name)) throw invalid(`Disallowed unicode characters present in object name '${name}'`);
  if (name === '.' || name === '..' || name.startsWith('.well-known/acme-challenge/')) {
    throw invalid(`Invalid object name: '${name}'`);
  }
  return name;
}
