"use strict";

// Starts Swagger UI with the settings that the page holds, one a line. They stand in a block that the browser does not
// run, so that a policy against scripts within pages (CSP `default-src 'self'`) leaves the page working.
{
  const settings = {presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset]};
  let login = null;
  for (const line of document.getElementById("swagger-ui-settings").textContent.split("\n")) {
    const redirect = /^oauth2RedirectUrl: window\.location\.origin \+ '(.*)',$/.exec(line);
    const oauth = /^ui\.initOAuth\((.*)\)$/.exec(line);
    if (line.startsWith('"') && line.endsWith(",")) {
      Object.assign(settings, JSON.parse(`{${line.slice(0, -1)}}`));
    } else if (redirect) {
      settings.oauth2RedirectUrl = window.location.origin + JSON.parse(`"${redirect[1]}"`);
    } else if (oauth) {
      login = JSON.parse(oauth[1]);
    }
  }
  window.ui = SwaggerUIBundle(settings);
  if (login) {
    window.ui.initOAuth(login);
  }
}
