"""The addresses of short links and of the pages of tags."""

from django.urls import path

from campaigns import views
from campaigns.signup import views as signup_views

urlpatterns = [
    path("s/<str:code>", views.redirect_to_link_target_and_count_visit, name="short-link"),
    path("s/<str:code>/", views.redirect_to_link_target_and_count_visit),
    path("j/<str:code>", signup_views.tag_page, name="tag-page"),
    path("j/<str:code>/logo", signup_views.logo, name="tag-logo"),
]
