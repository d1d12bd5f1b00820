'use strict';

// Swagger UI is dark where its page says so; it says what the system says.
const dark = window.matchMedia('(prefers-color-scheme: dark)');
const followSystem = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
dark.addEventListener('change', followSystem);
followSystem();

const ui = SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#swagger-ui',
  layout: 'BaseLayout',
  deepLinking: true,
  showExtensions: true,
  showCommonExtensions: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  // No other host is asked to check the document, and the token stays in memory.
  validatorUrl: null,
  persistAuthorization: false,
  // Without browser credentials a 401 with a Basic challenge does not raise the browser's own password box.
  requestInterceptor(request) {
    request.credentials = 'omit';
    return request;
  },
});

ui.initOAuth({ scopes: ['profile', 'posts'] });
