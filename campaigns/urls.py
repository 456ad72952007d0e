"""The addresses of short links and of the pages of tags."""

from django.urls import path

from campaigns import views
from campaigns.signup import views as signup_views

urlpatterns = [
    path("s/<str:code>", views.follow_link, name="short-link"),
    path("j/<str:code>", signup_views.tag_page, name="tag-page"),
    path("j/<str:code>/logo", signup_views.logo, name="tag-logo"),
]
