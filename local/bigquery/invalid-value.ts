/** A value that its field can't hold; the message says so as the service does. */
export class InvalidValue extends Error {
  override readonly name = 'InvalidValue';
  /** Full name of the field, or empty. */
  readonly location: string;

  constructor(message: string, location = '') {
    super(message);
    this.location = location;
  }
}

export function invalidValue(message: string, location?: string): InvalidValue {
  return new InvalidValue(message, location);
}
