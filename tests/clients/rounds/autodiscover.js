// Asks AutoDiscover's SOAP service with ews-javascript-api: URL USER NAME..., the password on standard input.
// Prints "error CODE", then a line "NAME=VALUE" for each setting that came.
const ews = require('ews-javascript-api');
const [, , url, user, ...names] = process.argv;
const password = require('fs').readFileSync(0, 'utf8').trim();
const service = new ews.AutodiscoverService(new ews.Uri(url), ews.ExchangeVersion.Exchange2013_SP1);
service.Credentials = new ews.WebCredentials(user, password);
service.GetUserSettings([user], names.map((name) => ews.UserSettingName[name])).then(
  (answers) => {
    const answer = answers.Responses[0];
    console.log(`error ${ews.AutodiscoverErrorCode[answer.ErrorCode]}`);
    for (const name of names) {
      const value = answer.Settings.get(ews.UserSettingName[name]);
      if (value !== undefined) console.log(`${name}=${value}`);
    }
  },
  (error) => {
    console.log(`failed ${error && (error.message || error)}`);
    process.exitCode = 1;
  },
);
