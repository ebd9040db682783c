import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { Answer } from './call.ts';
import { checksumsOf } from './checksums.ts';
import type { Content } from './content.ts';
import { downloadOf, hashOf, headerText } from './download.ts';
import { etagOf } from './etag.ts';
import type { StoredObject } from './object.ts';
import { checkPreconditions } from './preconditions.ts';
import type { StorageStore } from './store.ts';
import { chunksOf, contentOf, Upload } from './upload.ts';
import { XmlError, xmlNotImplemented } from './xml-error.ts';

/** A request to the XML API for one object. */
export interface XmlCall {
  readonly bucket: string;
  readonly object: string;
  readonly url: URL;
  readonly request: IncomingMessage;
}

const metadataPrefix = 'x-goog-meta-';

/** Headers that say something of the object, and its fields. */
const fields: Readonly<Record<string, string>> = {
  'cache-control': 'cacheControl',
  'content-disposition': 'contentDisposition',
  'content-encoding': 'contentEncoding',
  'content-language': 'contentLanguage',
  'x-goog-custom-time': 'customTime',
  'x-goog-storage-class': 'storageClass',
};

const conditions: Readonly<Record<string, string>> = {
  'x-goog-if-generation-match': 'ifGenerationMatch',
  'x-goog-if-metageneration-match': 'ifMetagenerationMatch',
};

const lengthRange = 'x-goog-content-length-range';
const otherHeaders = ['x-goog-hash', 'x-goog-content-sha256', lengthRange];

/** What replaces headers of an answer. */
const overrides: Readonly<Record<string, string>> = {
  'response-content-type': 'content-type',
  'response-content-disposition': 'content-disposition',
};

/** By their verbs. */
export function xmlMethods(store: StorageStore): Record<string, (call: XmlCall) => Promise<Answer>> {
  const bucketOf = ({ bucket }: XmlCall) => {
    if (store.buckets().some(({ name }) => name === bucket)) return store.findBucket(bucket);
    throw new XmlError(404, 'NoSuchBucket', 'The specified bucket does not exist.');
  };
  const find = (call: XmlCall, intent: 'read' | 'write') => {
    requireSupported(call);
    const bucket = bucketOf(call);
    const generation = call.url.searchParams.get('generation') ?? undefined;
    const object = store.findObject(bucket, call.object, generation);
    checkPreconditions(pick(call.request.headers, conditions), object, intent);
    return { bucket, object };
  };
  const get = async (call: XmlCall): Promise<Answer> => {
    const { object } = find(call, 'read');
    const { headers, ...answer } = downloadOf(object, call.request.headers);
    const replaced = pick(Object.fromEntries(call.url.searchParams), overrides);
    return { ...answer, headers: { ...headers, ...headersOf(object), ...replaced } };
  };
  return {
    GET: get,

    async HEAD(call) {
      const { content, ...answer } = await get(call);
      content?.destroy();
      return answer;
    },

    async PUT(call) {
      requireSupported(call);
      const { headers } = call.request;
      const upload = new Upload(store, {
        bucket: bucketOf(call).name,
        query: { name: call.object, ...pick(headers, conditions) },
        body: { ...pick(headers, fields), metadata: customMetadata(headers) },
        contentType: headers['content-type'],
      });
      const content = await contentOf(store.contents.writer(), chunksOf(call.request));
      await requireLength(content, headers[lengthRange]);
      const md5Hash = headers['content-md5'];
      const object = upload.finish(content, checksumsOf(headers['x-goog-hash']), { md5Hash });
      return { headers: headersOf(object) };
    },

    async DELETE(call) {
      const { bucket, object } = find(call, 'write');
      store.removeObject(bucket, object);
      return { status: 204 };
    },
  };
}

/** @throws XmlError 501 for the first header or parameter that isn't here */
function requireSupported({ request, url }: XmlCall): void {
  const known = [...Object.keys(fields), ...Object.keys(conditions), ...otherHeaders];
  const header = Object.keys(request.headers)
    .filter((name) => name.startsWith('x-goog-') && !name.startsWith(metadataPrefix))
    .find((name) => !known.includes(name));
  if (header !== undefined) throw xmlNotImplemented(`The header ${header}`);
  const parameter = [...url.searchParams.keys()]
    .filter((name) => !name.startsWith('X-Goog-') && name !== 'generation')
    .find((name) => overrides[name] === undefined);
  if (parameter !== undefined) throw xmlNotImplemented(`The parameter ${parameter}`);
}

/** Those of the values that have another name, by that. */
function pick(
  values: IncomingHttpHeaders | Readonly<Record<string, string>>,
  names: Readonly<Record<string, string>>,
): Record<string, string> {
  const found = Object.entries(names).map(([name, other]) => [other, values[name]] as const);
  return Object.fromEntries(found.filter((pair): pair is [string, string] => pair[1] !== undefined));
}

function customMetadata(headers: IncomingHttpHeaders): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => name.startsWith(metadataPrefix))
      .map(([name, value]) => [name.slice(metadataPrefix.length), value]),
  );
}

/** What this API shows besides, or in another way. */
function headersOf({ generation, metageneration, metadata, content }: StoredObject): OutgoingHttpHeaders {
  const { md5Hash } = content;
  const etag = md5Hash
    ? Buffer.from(md5Hash, 'base64').toString('hex')
    : `-${etagOf(generation, metageneration)}`;
  const custom = Object.entries(metadata.metadata ?? {}).map(
    ([name, value]) => [`${metadataPrefix}${name}`, headerText(value)] as const,
  );
  return {
    ...Object.fromEntries(custom),
    etag: `"${etag}"`,
    'x-goog-generation': String(generation),
    'x-goog-metageneration': String(metageneration),
    'x-goog-hash': hashOf(content),
  };
}

/** @throws XmlError 400 where content has a size that whoever signed the URL ruled out */
async function requireLength({ size, bytes }: Content, range: string | string[] | undefined): Promise<void> {
  const [minimum = 0, maximum = Number.POSITIVE_INFINITY] =
    range === undefined ? [] : String(range).split(',').map(Number);
  if (size >= minimum && size <= maximum) return;
  await bytes.remove();
  const code = size < minimum ? 'EntityTooSmall' : 'EntityTooLarge';
  throw new XmlError(400, code, `The size of the upload is not within ${range}.`);
}
