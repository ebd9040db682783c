/**
 * An answer of the XML API that isn't 2xx.
 *
 * @see https://cloud.google.com/storage/docs/xml-api/reference-status
 */
export class XmlError extends Error {
  override readonly name = 'XmlError';
  readonly httpStatus: number;
  readonly code: string;
  readonly details: string | undefined;

  constructor(httpStatus: number, code: string, message: string, details?: string) {
    super(message);
    this.httpStatus = httpStatus;
    this.code = code;
    this.details = details;
  }

  toXml(): string {
    const details = this.details === undefined ? '' : element('Details', this.details);
    const error = element('Code', this.code) + element('Message', this.message) + details;
    return `<?xml version='1.0' encoding='UTF-8'?><Error>${error}</Error>`;
  }
}

export function accessDenied(details: string): XmlError {
  return new XmlError(403, 'AccessDenied', 'Access denied.', details);
}

/** Of a header or parameter that a signature needs. */
export function malformedSecurityHeader(details: string): XmlError {
  return new XmlError(400, 'MalformedSecurityHeader', 'Your request has a malformed header.', details);
}

export function xmlNotImplemented(what: string): XmlError {
  return new XmlError(501, 'NotImplemented', `${what} is not implemented here`);
}

function element(name: string, text: string): string {
  const escaped = text.replace(/[&<>]/g, (character) => `&#${character.charCodeAt(0)};`);
  return `<${name}>${escaped}</${name}>`;
}
