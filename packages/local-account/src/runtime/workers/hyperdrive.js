/**
 * A Worker's binding to a database. workerd joins the parts of the connection string as they are: with a `#` or a `/`
 * in the password it would be no URL, and with a `%` another one. Here they are encoded, as drivers expect.
 */

const MEMBERS = ["host", "ip", "port", "user", "password", "database"];

export default ({ hyperdrive }) =>
  Object.defineProperties(
    {},
    {
      ...Object.fromEntries(MEMBERS.map((name) => [name, { enumerable: true, get: () => hyperdrive[name] }])),
      connectionString: { enumerable: true, get: () => encoded(hyperdrive) },
      connect: { value: () => hyperdrive.connect() },
    },
  );

/** The connection string, with workerd's scheme and query. */
function encoded({ connectionString, host, port, ...parts }) {
  const [scheme] = connectionString.split("://", 1);
  const query = connectionString.slice(connectionString.lastIndexOf("?"));
  const [user, password, database] = [parts.user, parts.password, parts.database].map(encodeURIComponent);
  return `${scheme}://${user}:${password}@${host}:${port}/${database}${query}`;
}
