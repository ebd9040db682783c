/** `project:region:name/app.billing`: a schema, as people find it. */
export function whereText({
  instance,
  database,
  schema,
}: {
  readonly instance: string;
  readonly database: string;
  readonly schema: string;
}): string {
  return `${instance}/${database}.${schema}`;
}
