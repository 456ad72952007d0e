"""Every address of the site."""

from django.conf import settings
from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.utils.translation import gettext_lazy as _
from django.views.generic import RedirectView
from django.views.i18n import JavaScriptCatalog

from astronote.accounts import security_keys
from astronote.accounts import views as account_views
from astronote.accounts.login import ThrottledLogin
from astronote.operations import home

admin.site.index_title = _("Home")
admin.site.login_form = ThrottledLogin

own = admin.site.admin_view

# The names are those by which the scripts of django-otp-webauthn find the addresses.
security_key_patterns = [
    path(
        "login/begin/",
        security_keys.BeginLoginBySecurityKey.as_view(),
        name="credential-authentication-begin",
    ),
    path(
        "login/complete/",
        security_keys.CompleteLoginBySecurityKey.as_view(),
        name="credential-authentication-complete",
    ),
    path(
        "add/begin/",
        own(security_keys.BeginAdding.as_view()),
        name="credential-registration-begin",
    ),
    path(
        "add/complete/",
        own(security_keys.CompleteAddingSecurityKeyAndAudit.as_view()),
        name="credential-registration-complete",
    ),
    path(
        "texts.js",
        JavaScriptCatalog.as_view(packages=["django_otp_webauthn"]),
        name="js-i18n-catalog",
    ),
]
urlpatterns = [
    path("", RedirectView.as_view(url="/admin/")),
    path("favicon.ico", RedirectView.as_view(url=static("astronote/favicon.svg"))),
    path("", include("messaging.urls")),
    path("", include("campaigns.urls")),
    path("", include("compliance.urls")),
    path("admin/live/", admin.site.admin_view(home.refreshed_panels_view), name="live"),
    path(
        "admin/run/<str:name>/",
        admin.site.admin_view(home.confirm_or_enqueue_recurring_job_view),
        name="run_now",
    ),
    path(
        "admin/account/",
        include(
            [
                path("", own(account_views.account_page), name="account"),
                path(
                    "alerts/",
                    own(account_views.toggle_own_alert_mails_and_audit),
                    name="account_alerts",
                ),
                path(
                    "sessions/",
                    own(account_views.end_one_or_all_other_own_sessions),
                    name="account_end_sessions",
                ),
                path(
                    "second-factor/",
                    own(account_views.set_up_second_factor),
                    name="account_second_factor",
                ),
                path(
                    "second-factor/change/",
                    own(account_views.remove_second_factor_or_renew_recovery_codes),
                    name="account_change_second_factor",
                ),
                path(
                    "security-keys/<int:key_id>/remove/",
                    own(account_views.remove_own_security_key_and_audit),
                    name="account_remove_key",
                ),
            ]
        ),
    ),
    path("admin/security-keys/", include((security_key_patterns, "otp_webauthn"))),
    path(
        "admin/set-password/<str:uidb64>/<str:token>/",
        account_views.SetPasswordOfActiveOperatorByLinkView.as_view(),
        name="set_password",
    ),
    path(
        "admin/password_change/",
        own(account_views.ChangeOwnPasswordAndEndOtherSessionsView.as_view()),
    ),
    path("admin/", admin.site.urls),
]
if settings.EMAIL_URL:
    urlpatterns.insert(
        0,
        path(
            "admin/forgotten-password/",
            account_views.ForgottenPasswordView.as_view(),
            name="admin_password_reset",  # the login page links to it if it is there
        ),
    )

handler403 = "astronote.operations.error_pages.not_allowed_view"
handler404 = "astronote.operations.error_pages.not_found_view"
