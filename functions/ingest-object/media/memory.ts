import { roomOf } from './room.ts';

const mebibyte = 1024 ** 2;

/**
 * What images take that are being decoded and rendered at a time. A process has 512 MiB: of these Node and its clients take 180,
 * and files that were read 100 (ingest.ts). What needs more goes alone: the largest HEIC, with 306.
 */
export const memory = roomOf(232 * mebibyte);

/** What the pixels of an image may take in a decoder that holds all of them. */
export const maxDecoding = 240 * mebibyte;

/** What any decoder takes besides. */
export const decoderBytes = 32 * mebibyte;
