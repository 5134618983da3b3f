//! ECS, roles, functions, the load balancer, autoscaling and log groups.
